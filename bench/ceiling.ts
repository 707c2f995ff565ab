/** Measures the best matrix product of a backend in this run; the speed of layers is given as a share of it. */
import type { Backend, DeviceBuffer } from "../src/backend/backend.ts";
import { defineKernel } from "../src/kernels/kernel.ts";
import { chooseMatmul, type MatmulParams } from "../src/kernels/matmul.ts";
import { Recording, type Buffer, type View } from "../src/recording/recording.ts";
import wideSource from "./ceiling.wgsl";
import type { Ceiling } from "./report.ts";

const wide = defineKernel({
  name: "bench-matmul-wide",
  sources: ["own/ceiling"],
  bindings: {
    a: { access: "read", type: "f32", shape: "[size, size]" },
    b: { access: "read", type: "f32", shape: "[size, size]" },
    c: { access: "read_write", type: "f32", shape: "[size, size]" },
  },
  params: { size: "u32" },
  workgroups: ({ size }) => [Math.ceil(size / 64), Math.ceil(size / 64), 1],
});

/** WGSL for the WebGPU backend, which knows only the package's own files. */
export const benchShaders = { "own/ceiling": wideSource };

interface Candidate {
  readonly name: string;
  readonly record: (recording: Recording, views: { a: View; b: View; bias: View; c: View }, n: number) => void;
}

/** The package's kernels on operands as recurrent layers have them (x·Wᵀ and dY·W), and on the GPU one that is for this only. */
function candidates(backend: Backend): Candidate[] {
  const own = (layout: string, strides: (n: number) => Pick<MatmulParams, "bRow" | "bColumn">): Candidate => ({
    name: `matmul ${layout}`,
    record: (recording, views, n) => {
      const params = { ...plain(n), ...strides(n) };
      recording.dispatch(chooseMatmul(params), views, params);
    },
  });
  const both = [own("dY·W", (n) => ({ bRow: n, bColumn: 1 })), own("x·Wᵀ", (n) => ({ bRow: 1, bColumn: n }))];
  if (backend.kind === "cpu") return both;
  return [{ name: wide.name, record: (recording, { a, b, c }, size) => recording.dispatch(wide, { a, b, c }, { size }) }, ...both];
}

const plain = (n: number) => ({
  M: n,
  N: n,
  K: n,
  batch: 1,
  aOffset: 0,
  aBatch: 0,
  aRow: n,
  aColumn: 1,
  bOffset: 0,
  bBatch: 0,
  cOffset: 0,
  cBatch: 0,
  cRow: n,
  useBias: 0,
  accumulate: 0,
});

/** Symmetric, so that both layouts give the same product. */
const operandOf = (n: number): Float32Array =>
  Float32Array.from({ length: n * n }, (_, i) => Math.sin(0.7 * ((Math.floor(i / n) * (i % n)) % 1009)));

/** GFLOP/s of one candidate on the square of `values`, or 0 if its result is wrong. */
async function speedOf(backend: Backend, { record }: Candidate, n: number, values: Float32Array): Promise<number> {
  const recording = new Recording();
  const memory = new Map<Buffer, DeviceBuffer>();
  const operand = (name: string): View => {
    const view = recording.buffer(name, [n * n], "external");
    memory.set(view.buffer, backend.createBuffer(`ceiling.${name}`, "f32", n * n, values));
    return view;
  };
  const views = { a: operand("a"), b: operand("b"), bias: operand("bias"), c: operand("c") };
  record(recording, views, n);
  recording.download("start", { ...views.c, shape: [n] });
  const program = await backend.prepare(recording, memory);
  try {
    const time = async (repeat: number): Promise<number> => {
      const started = performance.now();
      await (
        await program.run({}, { repeat })
      ).downloads;
      return performance.now() - started;
    };
    const { start } = await (await program.run()).downloads;
    if (!isFirstRow(start, values, n)) return 0;
    const repeat = Math.max(1, Math.min(200, Math.round(40 / Math.max(0.05, await time(1)))));
    let best = Infinity;
    for (let round = 0; round < 4; round++) best = Math.min(best, (await time(repeat)) / repeat);
    return (2 * n ** 3) / best / 1e6;
  } finally {
    program.free();
    for (const buffer of memory.values()) backend.free(buffer);
  }
}

function isFirstRow(row: ArrayLike<number>, values: Float32Array, n: number): boolean {
  for (let column = 0; column < n; column++) {
    let sum = 0;
    let scale = 1;
    for (let k = 0; k < n; k++) {
      sum += values[k] * values[k * n + column];
      scale += Math.abs(values[k] * values[k * n + column]);
    }
    if (!(Math.abs(row[column] - sum) <= 1e-4 * scale)) return false;
  }
  return true;
}

/** Tries all candidates, and larger sizes as long as they help. */
export async function findCeiling(backend: Backend, breathe: () => Promise<void>): Promise<Ceiling> {
  let best: Ceiling = { gflops: 0, what: "none" };
  for (const n of [512, 1024, 2048, 4096]) {
    const before = best.gflops;
    const values = operandOf(n);
    const started = performance.now();
    for (const candidate of candidates(backend)) {
      const gflops = await speedOf(backend, candidate, n, values);
      if (gflops > best.gflops) best = { gflops, what: `${candidate.name} ${n}³` };
      await breathe();
    }
    // A larger product helps only on larger devices. If this one took a second, it has filled the device.
    if (best.gflops < 1.2 * before || performance.now() - started > 1000) break;
  }
  return best;
}
