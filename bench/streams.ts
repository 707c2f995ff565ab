// Frames through LSTM(1, H) and Linear(H, 1), one call a frame: `node scripts/run-ts.mjs bench/streams.ts [--json FILE]`. A
// stream of this package on the CPU backend, onnxruntime-web's WebAssembly with its states fed back, and a plain loop in
// JavaScript, each on one thread, take turns. Results are compared before anything is timed. onnxruntime-web
// comes with `npm run bench -- --peers`.
import { writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type * as OnnxProto from "onnx-proto";
import type * as Ort from "onnxruntime-web/wasm";
import { createBackend, createStream, Linear, LSTM, Sequential } from "webgpu-rnn";

type Step = (frame: Float32Array) => Float32Array | Promise<Float32Array>;
type Weights = Record<string, Float32Array>;

const [mostSamples, secondsOfRow] = [300, 5];
const requirePeer = createRequire(join(process.cwd(), "bench", "package.json"));
/** A library for the bench, if it is installed. */
function peer<T>(name: string): T | undefined {
  try {
    return requirePeer(name) as T;
  } catch (error) {
    console.error(`without ${name}: ${(error as Error).message.split("\n")[0]}`);
    return undefined;
  }
}

/** The layer as a page would write it: gates i f g o of one unit after the other. */
function plainLoop(w: Weights, batch: number, H: number): Step {
  const [h, c, y] = [new Float32Array(batch * H), new Float32Array(batch * H), new Float32Array(batch)];
  const gates = new Float32Array(4 * H);
  const { weight_ih: input, weight_hh: recurrent, bias_ih, bias_hh, weight, bias } = w;
  const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
  return (frame) => {
    for (let b = 0; b < batch; b++) {
      for (let g = 0; g < 4 * H; g++) {
        let sum = input[g] * frame[b] + bias_ih[g] + bias_hh[g];
        for (let k = 0, at = g * H; k < H; k++, at++) sum += recurrent[at] * h[b * H + k];
        gates[g] = sum;
      }
      let out = bias[0];
      for (let n = 0, at = b * H; n < H; n++, at++) {
        c[at] = sigmoid(gates[H + n]) * c[at] + sigmoid(gates[n]) * Math.tanh(gates[2 * H + n]);
        h[at] = sigmoid(gates[3 * H + n]) * Math.tanh(c[at]);
        out += weight[n] * h[at];
      }
      y[b] = out;
    }
    return y;
  };
}

/** ONNX wants the gates as i o f c. */
function onnxGates(values: Float32Array, width: number): Float32Array {
  const size = values.length / 4;
  const result = new Float32Array(values.length);
  [0, 3, 1, 2].forEach((from, to) => result.set(values.subarray(from * size, (from + 1) * size), to * size));
  if (size % width !== 0) throw new Error("gates of unequal size");
  return result;
}

function onnxModel({ onnx }: typeof OnnxProto, w: Weights, batch: number, H: number): Uint8Array {
  const { FLOAT } = onnx.TensorProto.DataType;
  const constant = (name: string, dims: number[], data: Float32Array) => ({
    name,
    dims,
    dataType: FLOAT,
    rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  });
  const value = (name: string, dims: number[]) => ({
    name,
    type: { tensorType: { elemType: FLOAT, shape: { dim: dims.map((dimValue) => ({ dimValue })) } } },
  });
  const biases = new Float32Array(8 * H);
  biases.set(onnxGates(w.bias_ih, H));
  biases.set(onnxGates(w.bias_hh, H), 4 * H);
  const states = [1, batch, H];
  const { INT } = onnx.AttributeProto.AttributeType;
  return onnx.ModelProto.encode({
    irVersion: 7,
    opsetImport: [{ domain: "", version: 14 }],
    graph: {
      name: "stream",
      node: [
        {
          opType: "LSTM",
          input: ["x", "w", "r", "b", "", "h", "c"],
          output: ["", "hNext", "cNext"],
          attribute: [{ name: "hidden_size", type: INT, i: H }],
        },
        { opType: "Reshape", input: ["hNext", "rows"], output: ["units"], attribute: [] },
        { opType: "Gemm", input: ["units", "weight", "bias"], output: ["y"], attribute: [{ name: "transB", type: INT, i: 1 }] },
      ],
      initializer: [
        constant("w", [1, 4 * H, 1], onnxGates(w.weight_ih, H)),
        constant("r", [1, 4 * H, H], onnxGates(w.weight_hh, H)),
        constant("b", [1, 8 * H], biases),
        constant("weight", [1, H], w.weight),
        constant("bias", [1], w.bias),
        {
          name: "rows",
          dims: [2],
          dataType: onnx.TensorProto.DataType.INT64,
          rawData: new Uint8Array(BigInt64Array.of(BigInt(batch), BigInt(H)).buffer),
        },
      ],
      input: [value("x", [1, batch, 1]), value("h", states), value("c", states)],
      output: [value("y", [batch, 1]), value("hNext", states), value("cNext", states)],
    },
  }).finish();
}

async function onnxruntime(ort: typeof Ort, model: Uint8Array, batch: number, H: number): Promise<Step> {
  const session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
  const zeros = (): Ort.Tensor => new ort.Tensor("float32", new Float32Array(batch * H), [1, batch, H]);
  let [h, c] = [zeros(), zeros()];
  return async (frame) => {
    const results = await session.run({ x: new ort.Tensor("float32", frame, [1, batch, 1]), h, c });
    [h, c] = [results.hNext, results.cNext] as unknown as Ort.Tensor[];
    return results.y.data as Float32Array;
  };
}

interface Racer {
  readonly name: string;
  readonly step: Step;
  /** Microseconds of a frame, by the clock. */
  readonly times: number[];
}

/** Largest difference from the first racer. */
async function compare(racers: readonly Racer[], frames: readonly Float32Array[]): Promise<void> {
  for (const [n, frame] of frames.entries()) {
    const results: Float32Array[] = [];
    for (const { step } of racers) results.push((await step(frame)).slice());
    results.forEach((values, r) => {
      const at = values.findIndex((value, i) => !(Math.abs(value - results[0][i]) <= 1e-5));
      if (at >= 0) throw new Error(`frame ${n}: ${racers[r].name} gives ${values[at]}, ${racers[0].name} ${results[0][at]}`);
    });
  }
}

async function sample({ step, times }: Racer, frames: readonly Float32Array[]): Promise<void> {
  const started = process.hrtime.bigint();
  // A promise is awaited only where there is one: a stream has none.
  for (const frame of frames) {
    const result = step(frame);
    if (result instanceof Promise) await result;
  }
  times.push(Number(process.hrtime.bigint() - started) / 1000 / frames.length);
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1];

async function race(batch: number, H: number, ort: typeof Ort | undefined, proto: typeof OnnxProto | undefined) {
  const model = new Sequential({ rnn: new LSTM(1, H), linear: new Linear(H, 1) });
  const weights = Object.fromEntries(
    Object.entries(await model.stateDict()).map(([name, { data }]) => [name.split(".")[1].replace(/_l0$/, ""), data as Float32Array]),
  );
  const stream = await createStream(model, { batch, backend: await createBackend("cpu") });
  const racers: Racer[] = [
    { name: "webgpu-rnn", step: (frame) => stream.step(frame), times: [] },
    { name: "plain loop", step: plainLoop(weights, batch, H), times: [] },
  ];
  if (ort && proto)
    racers.push({ name: "onnxruntime-web", step: await onnxruntime(ort, onnxModel(proto, weights, batch, H), batch, H), times: [] });
  const frames = Array.from({ length: batch > 1 ? 4 : 20 }, (_, n) =>
    Float32Array.from({ length: batch }, (_, b) => Math.sin(0.7 * n + 0.3 * b)),
  );
  await compare(racers, frames);
  const end = performance.now() + 1000 * secondsOfRow;
  for (let round = 0; round < mostSamples && performance.now() < end; round++) for (const racer of racers) await sample(racer, frames);
  return racers.map(({ name, times }) => ({ name, batch, hidden: H, median_us: median(times), least_us: Math.min(...times) }));
}

const { json } = parseArgs({ options: { json: { type: "string" } } }).values;
const [ort, proto] = [peer<typeof Ort>("onnxruntime-web/wasm"), peer<typeof OnnxProto>("onnx-proto")];
if (ort) ort.env.wasm.numThreads = 1;
const rows = [];
for (const [batch, H] of [
  [1, 16],
  [1, 64],
  [1, 128],
  [1, 256],
  [64, 128],
]) {
  for (const row of await race(batch, H, ort, proto)) {
    rows.push(row);
    const { name, median_us: median, least_us: least } = row;
    console.log(
      `batch ${batch}, H ${H}`.padEnd(18),
      name.padEnd(16),
      `µs a frame: median ${median.toFixed(1)}, least ${least.toFixed(1)}; ${Math.round((batch * 1e6) / median)} rows a second`,
    );
  }
}
if (json !== undefined) await writeFile(json, `${JSON.stringify({ node: process.version, rows }, null, 2)}\n`);
