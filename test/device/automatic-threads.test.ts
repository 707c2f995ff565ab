// Threads that start by themselves: with the first large layer, where they make it faster, and with the bits of one.
import { describe, expect, it, onTestFinished } from "vitest";
import { createBackend, forward, LSTM, RnnError, type Backend } from "webgpu-rnn";
import { AutomaticThreads, gainOf } from "../../src/backend/cpu/automatic-threads.ts";
import { CpuBackend } from "../../src/backend/cpu/cpu-backend.ts";
import type { CallsOf } from "../../src/backend/cpu/calls.ts";
import { WasmKernels } from "../../src/backend/cpu/wasm-kernels.ts";
import { matmulNaive } from "../../src/kernels/matmul.ts";
import { stepForward } from "../../src/recurrent/kernels/step.ts";
import { lstm } from "../../src/recurrent/cells/lstm.ts";
import type { Kernel } from "../../src/kernels/kernel.ts";
import { Recording } from "../../src/recording/recording.ts";
import { numbers } from "./support.ts";

/** A recording of one dispatch, whose buffers are not looked at. */
function recordingOf(kernel: unknown, params: Readonly<Record<string, number>>): Recording {
  const recording = new Recording();
  const { bindings } = kernel as Kernel;
  const views = Object.fromEntries(
    Object.entries(bindings).map(([name, { type }]) => [name, recording.buffer(name, [64], "external", type)]),
  );
  recording.dispatch(kernel as Kernel, views, params);
  return recording;
}

const product = (size: number): Recording =>
  recordingOf(matmulNaive, {
    ...{
      M: size,
      N: size,
      K: size,
      batch: 1,
      aOffset: 0,
      aBatch: 0,
      aRow: size,
      aColumn: 1,
      bOffset: 0,
      bBatch: 0,
      bRow: size,
      bColumn: 1,
    },
    ...{ cOffset: 0, cBatch: 0, cRow: size, useBias: 0, accumulate: 0 },
  });
const step = (B: number, H: number): Recording =>
  recordingOf(stepForward(lstm), { T: 1, B, H, first: 0, steps: 1, hBase: 0, lanes: 1, reverse: 0, i: 0 });

/** On a machine of so many cores, whatever this one has. */
const machine = (cores: number) => () => Promise.resolve(cores);

async function made(gain: typeof gainOf): Promise<AutomaticThreads> {
  const threads = new AutomaticThreads((await WasmKernels.create(true)) as WasmKernels, gain, machine(3));
  onTestFinished(() => threads.end());
  return threads;
}

describe("automatic threads", () => {
  it("start with the first dispatch of 2^24 multiplications that can be shared, and are tried once", async () => {
    let trials = 0;
    const threads = await made(() => (trials++, 2));
    for (const small of [product(31), product(255), step(64, 64), step(4, 2048)]) await threads.suit(small);
    expect([trials, threads.now.count]).toEqual([0, 1]);
    await Promise.all([threads.suit(product(256)), threads.suit(step(64, 256))]);
    await threads.suit(product(512));
    expect(trials).toBe(1);
    expect(threads.now.count).toBeGreaterThan(1);
  });

  it("end again where they gain too little", async () => {
    const threads = await made(() => 1.2);
    await threads.suit(product(256));
    expect(threads.now.count).toBe(1);
    let calls = 0;
    const callsOf: CallsOf = (first, end) => (calls++, [{ name: "columnSum", args: [0, 0, 0, end - first, 0] }]);
    expect(threads.now.parallel(64, 16, callsOf, 1).length).toBe(1);
    expect(calls).toBe(1);
  });

  it("are tried again the next time where there is too little memory for the trial", async () => {
    let trials = 0;
    const threads = await made(() => {
      if (++trials === 1) throw new RnnError("limit", "CpuBackend", "nothing is left");
      return 2;
    });
    await threads.suit(product(256));
    expect(threads.now.count).toBe(1);
    await threads.suit(product(256));
    expect([trials, threads.now.count]).toEqual([2, 3]);
  });

  it("do not stay when the backend ends while they start", async () => {
    const threads = await made(() => 2);
    const starting = threads.suit(product(256));
    threads.end();
    await starting;
    expect(threads.now.count).toBe(1);
  });

  it("are tried by a product that several threads compute as one does", async () => {
    const kernels = (await WasmKernels.create(true)) as WasmKernels;
    const threads = new AutomaticThreads(
      kernels,
      (...given) => {
        expect(gainOf(...given)).toBeGreaterThan(0);
        return 2;
      },
      machine(2),
    );
    onTestFinished(() => threads.end());
    await threads.suit(product(256));
    expect(threads.now.count).toBeGreaterThan(1);
  });

  it("leave a run as it is that lets the event loop run while they start", async () => {
    const kernels = (await WasmKernels.create(true)) as WasmKernels;
    const threads = new AutomaticThreads(kernels, () => 2, machine(2));
    const Made = CpuBackend as unknown as new (...given: unknown[]) => CpuBackend;
    const backend = new Made("float32", "CPU", "asked for", kernels, threads);
    const alone = await CpuBackend.create();
    onTestFinished(() => [backend, alone].forEach((one) => one.destroy()));
    const input = { shape: [64, 8, 16], data: numbers(64 * 8 * 16, 1) };
    /** A run that pauses after each of its pieces, and what others do then. */
    const run = async (on: CpuBackend, others: () => unknown): Promise<ArrayLike<number>> => {
      on.breath.isDue = () => true;
      on.breath.take = async () => {
        await others();
      };
      return (await forward(new LSTM(16, 64, { seed: 1 }), input, { backend: on })).output.data;
    };
    let pauses = 0;
    const expected = await run(alone, () => pauses++);
    // In the middle of the layer's steps, which come last.
    let left = pauses - 3;
    const output = await run(backend, async () => {
      if (--left !== 0) return;
      await threads.suit(product(256));
      // The memory has grown too, so the run makes its calls anew.
      kernels.heap.generation++;
    });
    expect(threads.now.count).toBe(2);
    expect(output).toEqual(expected);
  });
});

it("A backend made without a number of threads has the bits of one thread, for small layers and large ones", async () => {
  const backends: Backend[] = [await createBackend("cpu"), await createBackend("cpu", { threads: 1 })];
  onTestFinished(() => backends.forEach((backend) => backend.destroy()));
  for (const [T, B, I, H] of [
    [3, 2, 4, 5],
    [16, 32, 32, 128],
  ]) {
    const model = new LSTM(I, H, { seed: 1 });
    const input = { shape: [T, B, I], data: numbers(T * B * I, 1) };
    const [automatic, one] = [await forward(model, input, { backend: backends[0] }), await forward(model, input, { backend: backends[1] })];
    expect(automatic).toEqual(one);
  }
  expect(backends[1].adapter).not.toContain("threads");
});
