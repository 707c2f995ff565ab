/** Memory that was used before holds anything: results depend neither on it nor on what others do between the pieces of a run. */
import { describe, expect, it, onTestFinished } from "vitest";
import {
  adam,
  Conv1d,
  createBackend,
  createStream,
  crossEntropy,
  Embedding,
  forward,
  generateTokens,
  gradients,
  LSTM,
  MinGRU,
  MinLSTM,
  RnnError,
  Sequential,
  SLSTM,
  Trainer,
  type Stream,
  type Backend,
  type Module,
} from "webgpu-rnn";
import type { CpuBackend } from "../../src/backend/cpu/cpu-backend.ts";
import type { WasmKernels } from "../../src/backend/cpu/wasm-kernels.ts";
import type { WorkSpace } from "../../src/backend/cpu/work-space.ts";
import type { WebGpuBackend } from "../../src/backend/webgpu/webgpu-backend.ts";
import { sampled } from "../thorough.ts";
import { blocksOf, characterTcn } from "./causal-models.ts";
import { drawLayer, layerOf } from "./random-layers.ts";
import { numbers, sizeOf } from "./support.ts";

/** The bits of a NaN, and a number that is out of range. */
const dirt = 0xffffffff;
const dirty = (length: number): Float32Array => new Float32Array(new Uint32Array(length).fill(dirt).buffer);

/** A program's memory for the values of a run, which need not be cleared before one. */
const isTransient = (label: string): boolean => label.startsWith("transient.");

/**
 * Fills all memory that is not in use with dirt: new memory before it is used, what was freed, and between two pieces of a
 * run, where others may compute, what kernels have for the time of a call. The memory grows now and then.
 */
function soil(on: Backend): void {
  const backend = on as CpuBackend;
  const { kernels, work } = backend as unknown as { kernels: WasmKernels; work: WorkSpace };
  const { heap, scratchBytes } = kernels;
  const { sizes } = heap as unknown as { sizes: ReadonlyMap<number, number> };
  const fill = (at: number, end: number): void => void new Uint32Array(heap.memory.buffer, at, (end - at) / 4).fill(dirt);
  const fillPiece = (at: number): void => fill(at, at + (sizes.get(at) ?? 0));
  const [allocate, free] = [heap.allocate.bind(heap), heap.free.bind(heap)];
  heap.allocate = (bytes) => {
    const at = allocate(bytes);
    fillPiece(at);
    return at;
  };
  heap.free = (at) => {
    fillPiece(at);
    free(at);
  };
  const allocateBuffer = backend.allocate.bind(backend);
  backend.allocate = (label, type, length, data) => {
    const made = allocateBuffer(label, type, length, data);
    if (isTransient(label)) fillPiece(made.address);
    return made;
  };
  let pauses = 0;
  backend.breath.isDue = () => true;
  backend.breath.take = () => {
    fillPiece(work.address);
    // The kernels' constants lie between; see src/backend/cpu/wasm/scratch.ts.
    fill(0, 640);
    fill(1024, scratchBytes);
    const turn = pauses++ % 50;
    if (turn === 7 && heap.memory.grow(1) > 0) heap.generation++;
    if (turn === 33) work.reserve((sizes.get(work.address) ?? 0) / 4 + 16);
    return Promise.resolve();
  };
}

/** The same for a device, which clears new memory. */
function soilDevice(on: Backend): void {
  const backend = on as WebGpuBackend;
  const allocate = backend.allocate.bind(backend);
  backend.allocate = (label, type, length, data, use) => {
    const bits = dirty(length);
    return allocate(label, type, length, isTransient(label) ? (type === "f32" ? bits : new Uint32Array(bits.buffer)) : data, use);
  };
}

/** Fails at the first number of `expected`, at any depth, that `actual` has not bit for bit. */
function expectSame(actual: unknown, expected: unknown, path: string): void {
  if (ArrayBuffer.isView(expected)) {
    const [got, wanted] = [actual as Float32Array, expected as Float32Array];
    const at = wanted.findIndex((value, i) => !Object.is(value, got[i]));
    if (at >= 0) expect.fail(`${path}[${at}] is ${got[at]}, not ${wanted[at]}`);
  } else if (typeof expected === "object" && expected !== null) {
    for (const [key, value] of Object.entries(expected)) expectSame((actual as typeof expected)[key as never], value, `${path}.${key}`);
  } else expect(actual, path).toBe(expected);
}

async function passes(model: Module, shape: number[], on: Backend, run: object = {}, lengths?: readonly number[]): Promise<unknown> {
  const inputs = { input: { shape, data: numbers(sizeOf(shape), 3) }, ...(lengths && { lengths: [...lengths] }) };
  const first = await forward(model, inputs, { backend: on, ...run });
  expectSame(await forward(model, inputs, { backend: on, ...run }), first, "the second pass");
  const output = { shape: first.output.shape, data: numbers(sizeOf(first.output.shape), 4) };
  return [first, await gradients(model, inputs, { output }, { backend: on, training: true, seed: 5, ...run })];
}

/** What a layer drawn at random gives; undefined if it may not be. */
async function drawnPasses(seed: number, on: Backend): Promise<unknown> {
  const drawn = drawLayer(seed);
  const [T, B, I] = drawn.sizes;
  const { strategy, recompute } = drawn.run;
  try {
    return await passes(layerOf(drawn), drawn.options.batchFirst ? [B, T, I] : [T, B, I], on, { strategy, recompute }, drawn.lengths);
  } catch (error) {
    if (error instanceof RnnError && (error.kind === "option" || error.kind === "limit")) return undefined;
    throw error;
  }
}

const ids = (length: number): Uint32Array => Uint32Array.from({ length }, (_, i) => (i * 7) % 20);
const characters = (): Module => new Sequential([new Embedding(20, 9), new LSTM(9, 33), new LSTM(33, 20)], { seed: 1 });

async function training(on: Backend): Promise<unknown> {
  const model = characters();
  const batch = { shape: [7, 5], data: ids(35) };
  const data = { batches: 8, batch: (step: number) => ({ input: batch, targets: batch, startsSequence: step % 3 === 0 }) };
  const trainer = new Trainer(model, { backend: on, data, loss: crossEntropy(), optimizer: adam({ learningRate: 0.01 }), clipNorm: 1 });
  const { losses } = await trainer.train({ steps: 5 });
  return [losses, await trainer.evaluate(data, { batches: 2 }), await model.stateDict()];
}

async function tokens(model: Module, on: Backend): Promise<unknown> {
  const all: Uint32Array[] = [];
  for await (const token of generateTokens(model, ids(11), { backend: on, length: 12, seed: 3 })) all.push(token.slice());
  return all;
}

async function frames(model: Module, width: number, on: Backend): Promise<unknown> {
  const stream = (await createStream(model, { backend: on, batch: 5 })) as Stream;
  const frame = (rows: number, seed: number): Float32Array => numbers(rows * width, seed);
  const results: Float32Array[] = [];
  for (let i = 0; i < 4; i++) {
    results.push(stream.step(frame(5, 1 + i)).slice());
    results.push(stream.stepRows([4, 0, 2], frame(3, 10 + i)).slice());
    if (i === 2) stream.reset(2);
    results.push(stream.steps(frame(5 * 5, 20 + i)).slice());
  }
  return [results, stream.state.read()];
}

const cases: Readonly<Record<string, (on: Backend) => Promise<unknown>>> = {
  MinGRU: (on) => passes(new MinGRU(24, 30, { seed: 1 }), [64, 13, 24], on),
  MinLSTM: (on) => passes(new MinLSTM(24, 30, { seed: 1 }), [64, 13, 24], on),
  SLSTM: (on) => passes(new SLSTM(7, 32, { seed: 1 }), [6, 5, 7], on),
  convolutions: (on) => passes(new Sequential([new Conv1d(6, 6, 3), ...blocksOf(9, [1, 2])], { seed: 1 }), [3, 6, 11], on),
  training,
  tokens: (on) => tokens(characters(), on),
  "tokens of a model without recurrent layers": (on) => tokens(characterTcn(20), on),
  frames: (on) => frames(new Sequential([new LSTM(6, 19), new MinGRU(19, 9)], { seed: 1 }), 6, on),
};

describe.each([1, 2])("a CPU backend with %i threads whose free memory is dirty", (threads) => {
  const backends = async (): Promise<Backend[]> => {
    const made = [await createBackend("cpu", { threads }), await createBackend("cpu", { threads })];
    onTestFinished(() => made.forEach((one) => one.destroy()));
    soil(made[1]);
    return made;
  };

  it.each(Object.entries(cases))("gives the bits of another one: %s", async (name, results) => {
    const [clean, soiled] = await backends();
    expectSame(await results(soiled), await results(clean), name);
  });

  it("gives the bits of another one for layers drawn at random", async () => {
    const [clean, soiled] = await backends();
    const seeds = sampled(
      Array.from({ length: 100 }, (_, i) => i + 1),
      threads === 1 ? 15 : 5,
    );
    for (const seed of seeds) expectSame(await drawnPasses(seed, soiled), await drawnPasses(seed, clean), `layer ${seed}`);
  });
});

it("A device whose programs begin with dirty memory gives the bits of another one", async () => {
  const [clean, soiled] = [await createBackend("webgpu"), await createBackend("webgpu")];
  onTestFinished(() => [clean, soiled].forEach((one) => one.destroy()));
  soilDevice(soiled);
  const seeds = sampled(
    Array.from({ length: 30 }, (_, i) => i + 1),
    3,
  );
  for (const seed of seeds) expectSame(await drawnPasses(seed, soiled), await drawnPasses(seed, clean), `layer ${seed}`);
  expectSame(await training(soiled), await training(clean), "training");
});
