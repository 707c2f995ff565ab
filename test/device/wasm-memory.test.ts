/** The heap behind the WebAssembly kernels, and buffers and programs that live through its growth. */
import { describe, expect, it } from "vitest";
import { createBackend, forward, gradients, CustomRNN, defineCell, LSTM } from "webgpu-rnn";
import { CpuBackend } from "../../src/backend/cpu/cpu-backend.ts";
import { WasmHeap } from "../../src/backend/cpu/wasm-heap.ts";
import type { WasmKernels } from "../../src/backend/cpu/wasm-kernels.ts";
import type { WorkSpace } from "../../src/backend/cpu/work-space.ts";
import { RnnError } from "../../src/errors.ts";
import { activationForward } from "../../src/kernels/activations.ts";
import { lossSum } from "../../src/kernels/losses.ts";
import { Recording, type Buffer } from "../../src/recording/recording.ts";
import type { DeviceBuffer } from "../../src/backend/backend.ts";
import { leaky, numbers } from "./support.ts";

const mebibyte = 2 ** 20;
const newHeap = (): WasmHeap => new WasmHeap(new WebAssembly.Memory({ initial: 1 }), 1000);

describe("the heap", () => {
  it("starts behind the kernels' own memory and keeps to cache lines", () => {
    const heap = newHeap();
    expect([heap.allocate(4), heap.allocate(65), heap.allocate(1)]).toEqual([1024, 1088, 1216]);
  });

  it("takes the smallest gap that fits, and joins gaps", () => {
    const heap = newHeap();
    const [a, b, c, d, last] = [640, 128, 320, 64, 64].map((bytes) => heap.allocate(bytes));
    heap.free(a);
    heap.free(c);
    expect(heap.allocate(256)).toBe(c);
    expect(heap.allocate(64)).toBe(c + 256);
    heap.free(b);
    expect(heap.allocate(768)).toBe(a);
    expect(heap.allocate(64)).toBe(last + 64);
    heap.free(d);
    heap.free(d);
    expect(heap.allocate(64)).toBe(d);
    expect(heap.allocate(64)).toBe(last + 128);
  });

  it("never hands out the same byte twice", () => {
    const heap = newHeap();
    const held = new Map<number, number>();
    const choices = numbers(2000, 3);
    for (let i = 0; i < choices.length; i++) {
      const bytes = Math.ceil(Math.abs(choices[i]) * 5000);
      if (choices[i] > 0 || held.size === 0) held.set(heap.allocate(bytes), bytes);
      else {
        const at = [...held.keys()][i % held.size];
        heap.free(at);
        held.delete(at);
      }
      const parts = [...held].sort((x, y) => x[0] - y[0]);
      for (let j = 1; j < parts.length; j++)
        if (parts[j - 1][0] + parts[j - 1][1] > parts[j][0]) expect.fail(`${parts[j]} lies in ${parts[j - 1]}`);
    }
    for (const at of held.keys()) heap.free(at);
    expect(heap.allocate(64)).toBe(1024);
  });

  it("says what to do when there is no more memory", () => {
    const heap = newHeap();
    expect(() => heap.allocate(5 * 1024 * mebibyte)).toThrow(RnnError);
    expect(() => heap.allocate(5 * 1024 * mebibyte)).toThrow(/CpuBackend: 5121 MiB of memory are needed, .* use a smaller batch/);
    expect(heap.allocate(64)).toBe(1024);
  });
});

describe("a backend with WebAssembly kernels", () => {
  /** y = tanh(x) by a WebAssembly kernel, then the sum of y by a twin, a copy and a download. */
  async function program(backend: CpuBackend, length: number) {
    const recording = new Recording();
    const x = recording.buffer("x", [length], "external");
    const y = recording.buffer("y", [length]);
    const normalizer = recording.buffer("normalizer", [2], "constant", "f32", Float32Array.of(1, 1));
    const [loss, copied] = [recording.buffer("loss", [1]), recording.buffer("copied", [1])];
    recording.dispatch(activationForward, { x, y }, { length, kind: 1 });
    recording.dispatch(lossSum, { losses: y, normalizer, loss }, { length });
    recording.copy(loss, copied);
    recording.download("sum", copied);
    const memory = backend.createBuffer("x", "f32", length, numbers(length));
    const prepared = await backend.prepare(recording, new Map<Buffer, DeviceBuffer>([[x.buffer, memory]]));
    const sum = async (): Promise<number> => (await (await prepared.run()).downloads).sum[0];
    return { memory, prepared, sum };
  }

  it("keeps a program whose kernels are partly TypeScript intact", async () => {
    const backend = await CpuBackend.create();
    const model = new CustomRNN(defineCell(leaky), 3, 5, { seed: 1 });
    const run = () =>
      gradients(model, { shape: [4, 2, 3], data: numbers(24, 1) }, { output: { shape: [4, 2, 5], data: numbers(40, 2) } }, { backend });
    const before = await run();
    backend.createBuffer("large", "u32", 10 * mebibyte);
    expect(await run()).toEqual(before);
  });

  it("keeps buffers and programs intact while its memory grows", async () => {
    const backend = await CpuBackend.create();
    expect(backend.fastKernel(activationForward)).toBeDefined();
    expect(backend.fastKernel(lossSum)).toBeUndefined();
    const { memory, sum } = await program(backend, 1000);
    const before = await sum();
    expect(before).toBeCloseTo(
      numbers(1000).reduce((total, x) => total + Math.tanh(x), 0),
      3,
    );
    const generation = backend.generation;
    const large = backend.createBuffer("large", "u32", 10 * mebibyte);
    expect(backend.generation).toBeGreaterThan(generation);
    expect(await backend.read(memory)).toEqual(numbers(1000));
    expect(await sum()).toBe(before);
    backend.write(memory, numbers(1000, 2));
    backend.write(large, [7], 10 * mebibyte - 1);
    expect(await backend.read(large, 10 * mebibyte - 2, 2)).toEqual(Uint32Array.of(0, 7));
    expect(await sum()).not.toBe(before);
  });

  it("computes with memory of its own after a call that found too little", async () => {
    const backend = await CpuBackend.create();
    const { heap } = (backend as unknown as { kernels: WasmKernels }).kernels;
    const { work } = backend as unknown as { work: WorkSpace };
    const model = new LSTM(3, 70, { seed: 1 });
    const run = async () => (await forward(model, { shape: [4, 9, 3], data: numbers(108, 1) }, { backend })).output.data;
    const before = await run();
    const allocate = heap.allocate.bind(heap);
    const without = async (call: () => unknown): Promise<void> => {
      heap.allocate = () => {
        throw new RnnError("limit", "CpuBackend", "nothing is left");
      };
      await expect(async () => call()).rejects.toThrow("nothing is left");
      heap.allocate = allocate;
    };
    // More room for others fails, and then the room for this program.
    await without(() => work.reserve(10 ** 6));
    await without(run);
    const others = Array.from({ length: 100 }, () => backend.createBuffer("other", "f32", 9 * 70 * 4, numbers(9 * 70 * 4, 5)));
    expect(await run()).toEqual(before);
    for (const other of others) expect(await backend.read(other)).toEqual(numbers(9 * 70 * 4, 5));
  });

  it("gives back what a program that does not fit has taken", async () => {
    const backend = await CpuBackend.create();
    const recording = new Recording();
    const [x, y] = [recording.buffer("x", [1000]), recording.buffer("y", [1200 * mebibyte])];
    recording.dispatch(activationForward, { x, y }, { length: 1000, kind: 1 });
    await expect(backend.prepare(recording, new Map())).rejects.toThrow(/smaller batch/);
    expect(backend.counters.bytes).toBe(0);
  });

  it("uses freed memory again, cleared", async () => {
    const backend = await CpuBackend.create();
    const first = backend.createBuffer("first", "f32", mebibyte, new Float32Array(mebibyte).fill(3));
    backend.free(first);
    const { generation } = backend;
    for (let i = 0; i < 50; i++) {
      const buffer = backend.createBuffer("again", "f32", mebibyte);
      expect((await backend.read(buffer, mebibyte - 1))[0]).toBe(0);
      backend.write(buffer, [1], mebibyte - 1);
      backend.free(buffer);
    }
    for (let i = 0; i < 20; i++) {
      const { memory, prepared, sum } = await program(backend, 10_000);
      await sum();
      prepared.free();
      backend.free(memory);
    }
    expect(backend.generation).toBe(generation);
    expect(backend.counters.bytes).toBe(0);
  });
});

describe("a list whose getters run code of the caller's", () => {
  const listed = (act: () => unknown): ArrayLike<number> => ({
    length: 2,
    0: 7,
    get 1() {
      act();
      return 8;
    },
  });

  it.each([["cpu"], ["cpu", { wasm: false }], ["webgpu"]] as const)(
    "is written whole, or refused if there is no buffer any more: %s",
    async (kind, options?) => {
      const backend = await createBackend(kind, options);
      const memory = backend.createBuffer("x", "i32", 3);
      const grow = () => void backend.createBuffer("large", "u32", 10 * mebibyte);
      backend.write(memory, listed(grow), 1);
      expect(await backend.read(memory)).toEqual(Int32Array.of(0, 7, 8));
      const made = backend.createBuffer("y", "f32", 2, listed(grow));
      expect(await backend.read(made)).toEqual(Float32Array.of(7, 8));
      expect(() =>
        backend.write(
          memory,
          listed(() => backend.free(memory)),
        ),
      ).toThrow(/x: has been freed/);
      expect(await backend.read(made)).toEqual(Float32Array.of(7, 8));
      expect(() =>
        backend.write(
          made,
          listed(() => backend.destroy()),
        ),
      ).toThrow(RnnError);
    },
  );
});
