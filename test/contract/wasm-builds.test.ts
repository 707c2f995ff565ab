// src/backend/cpu/wasm-builds.ts is made from src/backend/cpu/wasm/ and committed; this finds out when it is stale.
// That the builds are those of the sources is checked by building them, in test/node.
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { sourcesHash } from "../../scripts/wasm.mjs";

it("was made from the present sources (else: node scripts/wasm.mjs)", async () => {
  const generated = readFileSync(new URL("../../src/backend/cpu/wasm-builds.ts", import.meta.url), "utf8");
  expect(/^\/\/ sources: (\w+)$/m.exec(generated)?.[1]).toBe(await sourcesHash());
});
