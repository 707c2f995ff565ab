// src/backend/cpu/wasm-builds/ is made from src/backend/cpu/wasm/ and committed; this finds out when it is stale.
// That the builds are those of the sources is checked by building them, in test/long.
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { parts, sourcesHash, unpacking } from "../../scripts/wasm.mjs";

it.each([...parts, unpacking])("was made from the present sources (else: node scripts/wasm.mjs): %s", async (part) => {
  const generated = readFileSync(new URL(`../../src/backend/cpu/wasm-builds/${part}.ts`, import.meta.url), "utf8");
  expect(/^\/\/ sources: (\w+)$/m.exec(generated)?.[1]).toBe(await sourcesHash());
});
