// The committed SIMD kernels are what the sources compile to.
import { expect, it } from "vitest";
import { buildWasm } from "../../scripts/wasm.mjs";
import { wasmBuilds } from "../../src/backend/cpu/wasm-kernels.ts";

it("holds the builds of the present sources (else: node scripts/wasm.mjs)", async () => {
  const [{ plain, relaxed }, committed] = await Promise.all([buildWasm(), wasmBuilds()]);
  expect(Buffer.from(committed.plain).equals(plain), "plain build").toBe(true);
  expect(Buffer.from(committed.relaxed).equals(relaxed), "relaxed build").toBe(true);
});
