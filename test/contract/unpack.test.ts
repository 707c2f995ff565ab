// The WebAssembly that unpacks the builds reads what zlib writes, in all kinds of blocks.
import { constants, deflateSync } from "node:zlib";
import { expect, it } from "vitest";
import { unpack } from "../../src/backend/cpu/unpack.ts";
import { wasmBuilds, wasmParts } from "../../src/backend/cpu/wasm-kernels.ts";

const mixed = Uint8Array.from({ length: 150_000 }, (_, i) => Math.sin(i) * 99 + (i % 1000 < 500 ? 0 : (i * 7919) % 251));
const contents: Readonly<Record<string, Uint8Array>> = {
  "a byte": Uint8Array.of(65),
  "the same byte 70,000 times": new Uint8Array(70_000).fill(7),
  "a hundred bytes": mixed.slice(0, 100),
  "many blocks": mixed,
};
const ways: Readonly<Record<string, object>> = {
  stored: { level: 0 },
  fast: { level: 1 },
  small: { level: 9 },
  "fixed codes": { strategy: constants.Z_FIXED },
  "near copies only": { strategy: constants.Z_RLE },
  "no copies": { strategy: constants.Z_HUFFMAN_ONLY },
};
const cases = Object.entries(contents).flatMap(([what, bytes]) =>
  Object.entries(ways).map(([way, options]) => ({ what, bytes, way, options })),
);

it.each(cases)("unpacks what zlib packs: $what, $way", ({ bytes, options }) => {
  const packed = `\n${deflateSync(bytes, options)
    .toString("base64")
    .replace(/.{1,140}/g, "$&\n")}`;
  const plainLength = bytes.length >> 1;
  const { plain, relaxed } = unpack({ packed, plainLength, relaxedLength: bytes.length - plainLength });
  // As texts, which are compared at once.
  expect(Buffer.concat([plain, relaxed]).toString("latin1")).toBe(Buffer.from(bytes).toString("latin1"));
});

it.each(wasmParts)("unpacks a build as DecompressionStream does: %s", async (part) => {
  const build = (await import(`../../src/backend/cpu/wasm-builds/${part}.ts`)) as Parameters<typeof unpack>[0];
  expect(unpack(build)).toEqual(await wasmBuilds(part));
});
