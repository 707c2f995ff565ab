// The committed SIMD kernels are what the sources compile to.
import { expect, it } from "vitest";
import { buildUnpacking, buildWasm } from "../../scripts/wasm.mjs";
import { bytes } from "../../src/backend/cpu/wasm-builds/unpack.ts";
import { wasmBuilds, wasmParts } from "../../src/backend/cpu/wasm-kernels.ts";

it.each(wasmParts)("holds the builds of the present sources (else: node scripts/wasm.mjs): %s", async (part) => {
  const [{ plain, relaxed }, committed] = await Promise.all([buildWasm(part), wasmBuilds(part)]);
  expect(Buffer.from(committed.plain).equals(plain), "plain build").toBe(true);
  expect(Buffer.from(committed.relaxed).equals(relaxed), "relaxed build").toBe(true);
});

it("holds what unpacks them", async () => {
  expect([...(await buildUnpacking())]).toEqual(bytes);
});
