// ONNX files on the CPU backend and in onnxruntime-web's WebAssembly, call by call, states fed back:
// `node scripts/run-ts.mjs bench/imported.ts FILE.onnx [--shape input=1x576] [--constant sr=16000]`. Both have one
// thread. The results of 12 calls are compared before anything is timed; then rounds of calls take turns.
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { parseArgs } from "node:util";
import * as ort from "onnxruntime-web/wasm";
import { forward, type ModelOutputs, type Tensor } from "webgpu-rnn";
import { importModel, type ImportedModel } from "webgpu-rnn/formats";
import { CpuBackend } from "../src/backend/cpu/cpu-backend.ts";

/** By the file's names. */
type Values = Record<string, Tensor<Float32Array>>;
type Call = (values: Values) => Promise<Values>;

const callsOfRound = 15;
const rounds = 100;

async function theirCall(bytes: Uint8Array, constants: Readonly<Record<string, number>>): Promise<Call> {
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
  const session = await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] });
  const whole: Record<string, ort.Tensor> = {};
  for (const [name, value] of Object.entries(constants)) whole[name] = new ort.Tensor("int64", BigInt64Array.of(BigInt(value)), []);
  return async (values) => {
    const feeds = { ...whole };
    for (const [name, { data, shape }] of Object.entries(values)) feeds[name] = new ort.Tensor("float32", data, shape);
    const results = await session.run(feeds);
    return Object.fromEntries(Object.entries(results).map(([name, { data, dims }]) => [name, { data: data as Float32Array, shape: dims }]));
  };
}

function ourCall({ model, inputs, outputs }: ImportedModel, backend: CpuBackend): Call {
  const at = ({ output, state, further }: ModelOutputs, path: string): Tensor =>
    path === "output" ? output : path.startsWith("state.") ? state[path.slice(6)] : further[path];
  return async (values) => {
    const state: Record<string, Tensor> = {};
    const further: Record<string, Tensor> = {};
    for (const { name, path } of inputs.slice(1)) {
      if (path.startsWith("state.")) state[path.slice(6)] = values[name];
      else further[path] = values[name];
    }
    const results = await forward(model, { input: values[inputs[0].name], state, further }, { backend });
    return Object.fromEntries(outputs.map(({ name, path }) => [name, at(results, path) as Tensor<Float32Array>]));
  };
}

/** Inputs of a call: noise, and 0 for states. */
function inputsOf({ inputs }: ImportedModel, shapes: Readonly<Record<string, number[]>>, call: number): Values {
  return Object.fromEntries(
    inputs.map(({ name, path, shape: known = [] }) => {
      const shape = shapes[name] ?? known.map((size) => size ?? 1);
      const isState = path.startsWith("state.");
      const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) =>
        isState ? 0 : 0.3 * Math.sin(0.37 * (call + 1) * i) + 0.1 * Math.sin(1.9 * i * i + call),
      );
      return [name, { shape, data }];
    }),
  );
}

/** The same with the states that another call has left. */
function goOn({ inputs, outputs }: ImportedModel, values: Values, before: Values | undefined): Values {
  if (!before) return values;
  const states = inputs.flatMap(({ name, path }) => {
    const output = path.startsWith("state.") ? outputs.find((one) => one.path === path) : undefined;
    return output ? [[name, before[output.name]] as const] : [];
  });
  return { ...values, ...Object.fromEntries(states) };
}

async function compare(imported: ImportedModel, frames: readonly Values[], ours: Call, theirs: Call): Promise<number> {
  let worst = 0;
  let before: Values | undefined;
  for (const frame of frames) {
    const values = goOn(imported, frame, before);
    const mine = await ours(values);
    before = await theirs(values);
    for (const [name, { data }] of Object.entries(before)) {
      data.forEach((value, i) => {
        const error = Math.abs(mine[name].data[i] - value);
        if (!(error <= 1e-5 + 1e-4 * Math.abs(value))) throw new Error(`${name}[${i}] is ${mine[name].data[i]}, in onnxruntime ${value}`);
        worst = Math.max(worst, error);
      });
    }
  }
  return worst;
}

/** Microseconds of a call, by the clock and of processor time. */
async function timeRound(imported: ImportedModel, frames: readonly Values[], call: Call): Promise<{ clock: number; processor: number }> {
  let before: Values | undefined;
  const [started, used] = [performance.now(), process.cpuUsage()];
  for (const frame of frames) before = await call(goOn(imported, frame, before));
  const { user, system } = process.cpuUsage(used);
  return { clock: ((performance.now() - started) / frames.length) * 1000, processor: (user + system) / frames.length };
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1];

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { shape: { type: "string", multiple: true }, constant: { type: "string", multiple: true } },
});
const pairs = (given: readonly string[] = []): [string, string][] => given.map((one) => one.split("=") as [string, string]);
const constants = Object.fromEntries(pairs(options.constant).map(([name, value]) => [name, Number(value)]));
const shapes = Object.fromEntries(pairs(options.shape).map(([name, value]) => [name, value.split("x").map(Number)]));

for (const file of positionals) {
  const bytes = new Uint8Array(await readFile(file));
  const imported = await importModel(bytes, { constants });
  const backend = await CpuBackend.create();
  const calls = { "webgpu-rnn": ourCall(imported, backend), "onnxruntime-web": await theirCall(bytes, constants) };
  const frames = Array.from({ length: callsOfRound }, (_, call) => inputsOf(imported, shapes, call));
  const worst = await compare(imported, frames.slice(0, 12), calls["webgpu-rnn"], calls["onnxruntime-web"]);
  const { submits, dispatches } = backend.counters;
  console.log(
    `${basename(file)}: ${dispatches / submits} dispatches in ${submits / 12} submit a call; greatest difference ${worst.toExponential(1)}`,
  );
  const times = Object.entries(calls).map(([name, call]) => ({ name, call, samples: [] as { clock: number; processor: number }[] }));
  for (let round = -3; round < rounds; round++) {
    for (const { call, samples } of times) {
      const sample = await timeRound(imported, frames, call);
      if (round >= 0) samples.push(sample);
    }
  }
  for (const { name, samples } of times) {
    const [clock, processor] = [samples.map((one) => one.clock), samples.map((one) => one.processor)];
    const of = (values: number[]): string => `median ${median(values).toFixed(0)}, least ${Math.min(...values).toFixed(0)}`;
    console.log(`  ${name.padEnd(16)} µs a call: ${of(clock)}; of processor time: ${of(processor)}`);
  }
}
