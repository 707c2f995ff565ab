// Several threads of the CPU backend: the same bits as one, whatever their number.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  createBackend,
  GRU,
  gradients,
  LSTM,
  MinGRU,
  MinLSTM,
  RNN,
  RnnError,
  type Backend,
  type ModelGradients,
  type Module,
  CustomRNN,
  defineCell,
} from "webgpu-rnn";
import { Threads } from "../../src/backend/cpu/threads.ts";
import { WasmKernels } from "../../src/backend/cpu/wasm-kernels.ts";
import type { Kernel } from "../../src/kernels/kernel.ts";
import { matmulNaive } from "../../src/kernels/matmul.ts";
import { Recording } from "../../src/recording/recording.ts";
import type { NumericArray } from "../../src/tensor/tensor.ts";
import { leaky, numbers } from "./support.ts";

const counts = [1, 2, 3];
const backends = new Map<number, Backend>();

beforeAll(async () => {
  for (const threads of counts) backends.set(threads, await createBackend("cpu", { threads }));
});
afterAll(() => {
  for (const backend of backends.values()) backend.destroy();
});

function run(model: Module, [T, B, I, H]: readonly number[], backend: Backend, lengths?: number[]): Promise<ModelGradients> {
  const width = H * ((model as LSTM).directions ?? 1);
  const input = { shape: [T, B, I], data: numbers(T * B * I, 1) };
  return gradients(
    model,
    { input, lengths },
    { output: { shape: [T, B, width], data: numbers(T * B * width, 2) } },
    { backend, training: true, seed: 1 },
  );
}

/** Everything that came out, by name. */
const flat = ({ output, state, gradients: { parameters, input } }: ModelGradients): [string, ArrayLike<number>][] =>
  Object.entries({ output, ...state, input: input!, ...parameters }).map(([name, { data }]) => [name, data]);

describe("a layer forward and backward", () => {
  const models: [string, readonly number[], (I: number, H: number) => Module, boolean][] = [
    ["LSTM", [12, 13, 24, 64], (I, H) => new LSTM(I, H, { seed: 1 }), false],
    ["LSTM, rows of different lengths", [12, 13, 24, 64], (I, H) => new LSTM(I, H, { seed: 1 }), true],
    ["LSTM, one step a dispatch", [3, 37, 40, 260], (I, H) => new LSTM(I, H, { seed: 1 }), false],
    ["LSTM, both directions", [12, 8, 24, 64], (I, H) => new LSTM(I, H, { seed: 1, bidirectional: true }), true],
    ["GRU", [12, 13, 24, 64], (I, H) => new GRU(I, H, { seed: 1 }), false],
    ["GRU, one step a dispatch", [3, 18, 24, 260], (I, H) => new GRU(I, H, { seed: 1 }), true],
    ["GRU, reset before", [12, 13, 24, 64], (I, H) => new GRU(I, H, { seed: 1, reset: "before" }), false],
    [
      "LSTM, coupled gates and peepholes",
      [12, 13, 24, 64],
      (I, H) => new LSTM(I, H, { seed: 1, forgetGate: "coupled", peepholes: true }),
      true,
    ],
    [
      "LSTM, layer normalisation and zoneout",
      [6, 19, 24, 130],
      (I, H) => new LSTM(I, H, { seed: 1, normalization: "layer", zoneout: 0.2 }),
      true,
    ],
    ["RNN, recurrent dropout", [6, 19, 24, 130], (I, H) => new RNN(I, H, { seed: 1, recurrentDropout: 0.3 }), true],
    ["a cell of one's own", [3, 37, 24, 96], (I, H) => new CustomRNN(defineCell(leaky), I, H, { seed: 1 }), true],
    ["RNN", [20, 13, 24, 70], (I, H) => new RNN(I, H, { seed: 1 }), true],
    ["MinGRU", [64, 13, 24, 30], (I, H) => new MinGRU(I, H, { seed: 1 }), true],
    ["MinLSTM, both directions", [64, 13, 24, 30], (I, H) => new MinLSTM(I, H, { seed: 1, bidirectional: true }), true],
    ["RNN, more steps than one request holds", [600, 9, 5, 32], (I, H) => new RNN(I, H, { seed: 1 }), false],
  ];

  it.each(models)("has the same bits with 1, 2 and 3 threads: %s", async (_, shape, make, varied) => {
    const [T, B, I, H] = shape;
    const lengths = varied ? Array.from({ length: B }, (_, row) => (row * 5) % (T + 1)) : undefined;
    const expected = flat(await run(make(I, H), shape, backends.get(1)!, lengths));
    expect(expected.every(([, data]) => Array.from(data).some((x) => x !== 0))).toBe(true);
    for (const threads of counts.slice(1)) {
      for (const [i, [name, data]] of flat(await run(make(I, H), shape, backends.get(threads)!, lengths)).entries()) {
        const at = Array.from(data).findIndex((value, k) => !Object.is(value, expected[i][1][k]));
        if (at >= 0) expect.fail(`${name}[${at}] is ${data[at]} with ${threads} threads, ${expected[i][1][at]} with one`);
      }
    }
  });
});

it.each([
  [134, 128, 1024],
  [165, 130, 2048],
])("a product of %i rows has the same bits with 1, 2 and 3 threads, where few rows are left over: %i, %i", async (M, N, K) => {
  const arrays: Record<string, Float32Array> = { a: numbers(M * K, 1), b: numbers(N * K, 2), bias: numbers(N, 3), c: numbers(M * N, 4) };
  const plain = { M, N, K, batch: 1, aOffset: 0, aBatch: 0, bOffset: 0, bBatch: 0, cOffset: 0, cBatch: 0, useBias: 1, accumulate: 1 };
  const params = { ...plain, aRow: K, aColumn: 1, bRow: 1, bColumn: K, cRow: N };
  const product = matmulNaive as unknown as Kernel;
  const results: NumericArray[] = [];
  for (const backend of backends.values()) {
    const recording = new Recording();
    const views = Object.fromEntries(Object.keys(arrays).map((name) => [name, recording.buffer(name, [arrays[name].length], "external")]));
    recording.dispatch(product, views, params);
    const memory = new Map(
      Object.entries(views).map(([name, { buffer }]) => [buffer, backend.createBuffer(name, "f32", buffer.length, arrays[name])]),
    );
    await (await backend.prepare(recording, memory)).run();
    results.push(await backend.read(memory.get(views.c.buffer)!));
  }
  for (const result of results.slice(1)) expect(result).toEqual(results[0]);
});

describe("threads", () => {
  let kernels: WasmKernels;
  beforeAll(async () => {
    const loaded = await WasmKernels.create(true);
    if (typeof loaded === "string") throw new Error(loaded);
    kernels = loaded;
  });

  /** A fill of rows [first, end) with a product of `size` by 1, by the kernel that all threads know. */
  const fill = (at: number, one: number) => (first: number, end: number) => [
    { name: "matmul", args: [at + 4 * first, one, 0, at + 4 * first, end - first, 1, 0, 1, 0, 1, 1, 0, 1, 1, 0, 1, 0] },
  ];

  it("share rows in parts of at least so many, each row once", async () => {
    const threads = await Threads.start(kernels, 3);
    const at = kernels.heap.allocate(400);
    const shares = (rows: number, least: number): number[][] => {
      const parts: number[][] = [];
      const pieces = threads.parallel(
        rows,
        least,
        (first, end) => {
          parts.push([first, end]);
          return fill(at, at)(first, end);
        },
        1,
      );
      const memory = new Float32Array(kernels.heap.memory.buffer, at, 100);
      memory.fill(7);
      for (const piece of pieces) piece();
      // A product over nothing is 0.
      expect([...memory]).toEqual(Array.from({ length: 100 }, (_, i) => (i < rows ? 0 : 7)));
      return parts;
    };
    expect(shares(100, 4)).toEqual([
      [0, 32],
      [32, 64],
      [64, 100],
    ]);
    expect(shares(11, 4)).toEqual([
      [0, 4],
      [4, 11],
    ]);
    expect(shares(7, 4)).toEqual([[0, 7]]);
    expect(shares(5, 5)).toEqual([[0, 5]]);
    threads.end();
  });

  const places: number[] = [];
  /** A request that adds 1 to eight numbers, to four of them on another thread, and the numbers: one done twice shows. */
  const adding = (threads: Threads): [add: () => void, sums: () => number[]] => {
    const one = kernels.heap.allocate(64);
    const sums = kernels.heap.allocate(64);
    places.push(one, sums);
    const memory = (): Float32Array => new Float32Array(kernels.heap.memory.buffer);
    memory().fill(1, one / 4, one / 4 + 1);
    memory().fill(0, sums / 4, sums / 4 + 8);
    const add = (first: number, end: number) => [
      { name: "matmul", args: [one, one, 0, sums + 4 * first, end - first, 1, 1, 1, 0, 0, 0, 0, 1, 1, 0, 1, 1] },
    ];
    const [piece] = threads.parallel(8, 4, add, 1);
    return [piece, () => [...memory().subarray(sums / 4, sums / 4 + 8)]];
  };

  it("do a request once, however often they are woken", async () => {
    const threads = await Threads.start(kernels, 2);
    const [add, sums] = adding(threads);
    for (let round = 1; round <= 5; round++) {
      add();
      // The thread falls asleep. A caller without a processor may wake it so late for the request before.
      await new Promise((done) => setTimeout(done, 30));
      const words = new Int32Array(kernels.heap.memory.buffer);
      for (let at = 0; at < words.length; at++) Atomics.notify(words, at);
      await new Promise((done) => setTimeout(done, 30));
      expect(sums()).toEqual(new Array(8).fill(round));
    }
    threads.end();
  });

  it("begin with an empty mailbox where other numbers lay before", async () => {
    const before = Array.from({ length: 8 }, (_, i) => kernels.heap.allocate(4096 << i));
    const end = before.at(-1)! + (4096 << 7);
    new Int32Array(kernels.heap.memory.buffer, before[0], (end - before[0]) / 4).fill(1);
    for (const at of before) kernels.heap.free(at);
    const threads = await Threads.start(kernels, 2);
    const [add, sums] = adding(threads);
    add();
    expect(sums()).toEqual(new Array(8).fill(1));
    await new Promise((done) => setTimeout(done, 30));
    expect(sums()).toEqual(new Array(8).fill(1));
    threads.end();
  });

  it("that have failed or ended are an error, not a wait without end", async () => {
    const threads = await Threads.start(kernels, 2);
    const beyond = 2 ** 32 - 4096;
    const [bad] = threads.parallel(8, 4, (first, end) => (first === 0 ? [] : fill(beyond, 0)(first, end)), 1);
    expect(bad).toThrow(RnnError);
    threads.end();
    expect(bad).toThrow(/destroy\(\) was called/);
  });

  it("that have failed answer all before the error comes, and compute no more", async () => {
    const threads = await Threads.start(kernels, 3);
    const [add, sums] = adding(threads);
    const [rows, columns] = [4, 2 ** 18];
    const at = kernels.heap.allocate(4 * columns);
    const to = kernels.heap.allocate(4 * rows);
    const memory = (from: number, length: number) => new Float32Array(kernels.heap.memory.buffer, from, length);
    memory(at, columns).fill(1);
    memory(to, rows).fill(0);
    // Fifty times four sums of so many ones, which take far longer than the failure of another thread.
    const sum = { name: "matmul", args: [at, at, 0, to, rows, 1, columns, 1, 0, 0, 1, 0, 1, 1, 0, 1, 1] };
    const [half] = threads.parallel(
      12,
      4,
      (first, end) => (first === 0 ? [] : first === 4 ? fill(2 ** 32 - 4096, 0)(first, end) : new Array<typeof sum>(50).fill(sum)),
      1,
    );
    expect(half).toThrow(/a thread has failed; make a new backend/);
    expect([...memory(to, rows)]).toEqual(new Array(rows).fill(50 * columns));
    expect(add).toThrow(/a thread has failed; make a new backend/);
    expect(sums()).toEqual(new Array(8).fill(0));
    threads.end();
  });

  it("give back their memory when they have ended, or could not be started", async () => {
    const { heap } = kernels;
    const free = (): number => {
      const at = heap.allocate(64);
      heap.free(at);
      return at;
    };
    const [at, held] = [free(), heap.memory.buffer.byteLength];
    const broken = Object.create(kernels, { modules: { value: [() => "no module"] } }) as WasmKernels;
    for (let round = 0; round < 5; round++) {
      const threads = await Threads.start(kernels, 3);
      const [add, sums] = adding(threads);
      add();
      threads.end();
      expect(add).toThrow(/destroy\(\) was called/);
      expect(sums()).toEqual(new Array(8).fill(1));
      await expect(Threads.start(broken, 3)).rejects.toThrow(/a thread could not be started/);
      for (const place of places.splice(0)) heap.free(place);
      const until = performance.now() + 10_000;
      while (free() !== at && performance.now() < until) await new Promise((done) => setTimeout(done, 5));
      expect(free()).toBe(at);
    }
    // The room of the first ones.
    expect(heap.memory.buffer.byteLength).toBeLessThan(held + 2 ** 21);
  });

  it("that have begun and are never heard of again are an error, and later calls compute without them", async () => {
    const { matmul } = kernels.exports;
    let meanwhile = (): unknown => undefined;
    const exports = { ...kernels.exports, matmul: (...args: number[]) => (meanwhile(), matmul(...args)) };
    const threads = await Threads.start(Object.create(kernels, { exports: { value: exports } }) as WasmKernels, 3, 50);
    const [add, sums] = adding(threads);
    add();
    const { others } = threads as unknown as { others: { box: Int32Array; over: Promise<unknown>; lost: boolean }[] };
    // It ends, and nobody is told, as in browsers.
    Atomics.store(others[0].box, 0, 4);
    Atomics.notify(others[0].box, 0);
    await others[0].over;
    others[0].lost = false;
    // As a thread leaves its mailbox that ends in the middle of a request.
    meanwhile = () => Atomics.compareExchange(others[0].box, 0, 1, 2);
    expect(add).toThrow(/a thread has ended while it computed; call again/);
    meanwhile = () => undefined;
    expect(threads.count).toBe(2);
    expect(sums()).toEqual([2, 2, 2, 2, 1, 1, 1, 1]);
    add();
    expect(sums()).toEqual([3, 3, 3, 3, 2, 2, 2, 2]);
    threads.end();
  });

  it("are named by the backend", () => {
    expect(backends.get(1)!.adapter).not.toContain("threads");
    expect(backends.get(3)!.adapter).toMatch(/^CPU, WASM SIMD( \(relaxed\))?, 3 threads$/);
  });
});
