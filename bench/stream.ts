// Frames one at a time, in streams, in onnxruntime-web's WebAssembly and in a plain loop, each on one thread:
// `node scripts/run-ts.mjs bench/stream.ts [--rounds 30]`. Results are compared before anything is timed. Then rounds of
// calls take turns; a line has the medians, by the clock, and the least processor time. Beside a frame stands its floor:
// as many multiply-adds as the layer has weights, which a loop reads one after the other. Then quanta of 128 samples, and
// 64 streams on one thread.
import { parseArgs } from "node:util";
import * as ort from "onnxruntime-web/wasm";
import { createBatcher, createStream, GRU, Linear, LSTM, Sequential, type Module } from "webgpu-rnn";
import { exportOnnx } from "webgpu-rnn/formats";
import { createFloor } from "./floor.ts";
import { plainLstm } from "./plain-lstm.ts";

/** Computes the next frame; a peer may need a promise. */
type Step = (frame: Float32Array) => Float32Array | Promise<Float32Array>;

const { values: options } = parseArgs({ options: { rounds: { type: "string", default: "30" } } });
const rounds = Number(options.rounds);
/** Multiplications of a round, so that rounds of all sizes take about as long. */
const roundWork = 2e7;

const sorted = (list: readonly number[]): number[] => [...list].sort((a, b) => a - b);
const median = (list: readonly number[]): number => sorted(list)[list.length >> 1];
const shown = (microseconds: number): string => (microseconds < 10 ? microseconds.toFixed(2) : microseconds.toFixed(0));
const framesOf = (count: number, size: number): Float32Array[] =>
  Array.from({ length: count }, (_, t) => Float32Array.from({ length: size }, (_, i) => Math.sin(t * 0.7 + i * 1.3)));

async function onnxStep(model: Module, size: number): Promise<Step> {
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
  const session = await ort.InferenceSession.create(await exportOnnx(model), { executionProviders: ["wasm"] });
  using shapes = await createStream(model);
  const states: Record<string, ort.Tensor> = {};
  for (const [path, shape] of Object.entries(shapes.state.shapes))
    states[path] = new ort.Tensor("float32", new Float32Array(shape.reduce((a, b) => a * b, 1)), [...shape]);
  return async (frame) => {
    const results = await session.run({ input: new ort.Tensor("float32", frame, [1, 1, size]), ...states });
    for (const path of Object.keys(states)) states[path] = results[`${path}.next`];
    return results.output.data as Float32Array;
  };
}

/** Microseconds of a call in each round. */
interface Samples {
  readonly clock: number[];
  readonly processor: number[];
}

/** @param floors timed beside the steps; they compute nothing that could be compared */
async function race(
  what: string,
  work: number,
  steps: Readonly<Record<string, Step>>,
  frames: readonly Float32Array[],
  floors: Readonly<Record<string, () => void>> = {},
): Promise<void> {
  const names = Object.keys(steps);
  for (const frame of frames) {
    const [first, ...others] = await Promise.all(names.map(async (name) => Float32Array.from(await steps[name](frame))));
    for (const other of others)
      other.forEach((y, i) => {
        if (!(Math.abs(y - first[i]) < 1e-4)) throw new Error(`${what}: ${y} instead of ${first[i]} at ${i}`);
      });
  }
  const calls = Math.ceil(roundWork / work);
  const timed: Record<string, (frame: Float32Array) => unknown> = { ...steps, ...floors };
  const samples = Object.fromEntries(Object.keys(timed).map((name): [string, Samples] => [name, { clock: [], processor: [] }]));
  for (let round = -2; round < rounds; round++)
    for (const [name, step] of Object.entries(timed)) {
      const [began, used] = [performance.now(), process.cpuUsage()];
      for (let i = 0; i < calls; i++) {
        const result = step(frames[i % frames.length]);
        if (result instanceof Promise) await result;
      }
      const { user, system } = process.cpuUsage(used);
      if (round < 0) continue;
      samples[name].clock.push(((performance.now() - began) * 1000) / calls);
      samples[name].processor.push((user + system) / calls);
    }
  const cells = Object.keys(timed).map(
    (name) => `${name} ${shown(median(samples[name].clock))} (${shown(Math.min(...samples[name].processor))})`,
  );
  console.log(`${what.padEnd(26)} ${cells.join("   ")}`);
}

console.log("µs a frame: median by the clock (least processor time)");
const floor = await createFloor(8 * 256 * 256);
for (const [what, model, size, work] of [
  ...[16, 64, 128, 256].map((H) => [`LSTM ${H}`, new LSTM(H, H, { seed: 1 }), H, 8 * H * H] as const),
  ["GRU 3x128", new GRU(128, 128, { numLayers: 3, seed: 1 }), 128, 18 * 128 * 128] as const,
]) {
  const stream = await createStream(model);
  const steps: Record<string, Step> = { "webgpu-rnn": (frame) => stream.step(frame), "onnxruntime-web": await onnxStep(model, size) };
  if (model instanceof LSTM) steps["plain loop"] = plainLstm(await model.stateDict(), size);
  // Each weight is used once in a frame.
  await race(what, work, steps, framesOf(7, size), { floor: () => floor.streamed(work), "in registers": () => floor.registers(work) });
}

console.log("µs a quantum of 128 samples");
for (const H of [32, 64, 128]) {
  const stream = await createStream(new Sequential([new LSTM(1, H, { seed: 1 }), new Linear(H, 1, { seed: 2 })]));
  const into = new Float32Array(128);
  await race(`LSTM(1, ${H}), Linear`, 128 * 4 * H * H, { "webgpu-rnn": (frames) => stream.steps(frames, into) }, framesOf(3, 128));
}

console.log("µs for a frame of each of 64 streams of an LSTM 128 (1600 µs are 40,000 frames a second)");
{
  const model = new LSTM(128, 128, { seed: 1 });
  const [whole, some] = [await createStream(model, { batch: 64 }), await createStream(model, { batch: 64 })];
  const batcher = await createBatcher(model, { maxBatch: 64, maxWaitMs: 0 });
  const rows = Array.from({ length: 64 }, (_, i) => 63 - i);
  const frames = framesOf(3, 128).map((frame) => Float32Array.from({ length: 64 * 128 }, (_, i) => frame[i % 128]));
  const together: Record<string, Step> = {
    step: (frame) => whole.step(frame),
    stepRows: (frame) => some.stepRows(rows, frame),
    batcher: async (frame) => (await Promise.all(rows.map((row) => batcher.step(String(row), frame.subarray(0, 128)))))[0],
  };
  await race("batch: 64", 64 * 8 * 128 * 128, together, frames);
  batcher.dispose();
}
