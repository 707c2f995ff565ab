/**
 * Matrix products of the CPU backend by the engine's own WebAssembly build: fused multiply-adds, and with them tiles of six
 * rows, exist in browsers only. Each number of rows that tiles cut in another way, against sums in float64.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { WasmKernels } from "../../src/backend/cpu/wasm-kernels.ts";
import { numbers } from "./support.ts";

let kernels: WasmKernels;
beforeAll(async () => {
  const loaded = await WasmKernels.create(false);
  if (typeof loaded === "string") throw new Error(loaded);
  kernels = loaded;
});

const rowsTried = [...Array.from({ length: 16 }, (_, i) => i + 1), 71];
/** K and N; the last two are more than one pass. */
const sizesTried = [...[1, 2, 3, 4, 7].flatMap((K) => [5, 8, 24].map((N) => [K, N])), [259, 9], [5, 265]];

describe.each([
  ["as it lies", false],
  ["transposed", true],
])("a product, A %s", (_, transposed) => {
  it.each([
    ["as it lies", false],
    ["in panels", true],
  ])("is the sum of its products, B %s", (_, panels) => {
    const { heap, exports } = kernels;
    const sizes = { a: 71 * 259, b: 259 * 265, panels: 259 * 272, bias: 272, c: 72 * 265 };
    const at = Object.fromEntries(Object.entries(sizes).map(([name, length]) => [name, heap.allocate(4 * length)]));
    const array = (name: keyof typeof sizes): Float32Array => new Float32Array(heap.memory.buffer, at[name], sizes[name]);
    const [a, b, bias, c] = [array("a"), array("b"), array("bias"), array("c")];
    a.set(numbers(a.length, 1));
    b.set(numbers(b.length, 2));
    bias.set(numbers(bias.length, 3));
    const before = numbers(c.length, 4);
    for (const [K, N] of sizesTried) {
      if (panels) exports.packPanels(at.b, at.panels, N, K, N, 1);
      for (const M of rowsTried) {
        const add = (M + K) % 2;
        c.set(before);
        const [aRow, aColumn] = transposed ? [1, M] : [K, 1];
        const [bAt, bRow, bColumn] = panels ? [at.panels, 8, 0] : [at.b, N, 1];
        exports.matmul(at.a, bAt, at.bias, at.c, M, N, K, 1, 0, aRow, aColumn, 0, bRow, bColumn, 0, N, add);
        let worst = 0;
        for (let m = 0; m < M; m++) {
          for (let n = 0; n < N; n++) {
            let sum = bias[n] + add * before[m * N + n];
            for (let k = 0; k < K; k++) sum += a[m * aRow + k * aColumn] * b[k * N + n];
            worst = Math.max(worst, Math.abs(c[m * N + n] - sum));
          }
        }
        expect(worst, `[${M}, ${K}] · [${K}, ${N}]`).toBeLessThan(2e-7 * (K + 2));
        expect(
          c.subarray(M * N).every((value, i) => value === before[M * N + i]),
          `behind [${M}, ${N}]`,
        ).toBe(true);
      }
    }
    for (const address of Object.values(at)) heap.free(address);
  });
});
