/**
 * gpu.js: it has no recurrent layers, so this is an LSTM written with its kernels, the way its documentation advises:
 * a pipeline whose loop over time is unrolled once, and which then runs as one plan.
 */
import { GPU, input, type Handle, type Input } from "gpu.js";
import { version } from "gpu.js/package.json";
import type { Case } from "../cases.ts";
import type { Library, Subject } from "../library.ts";
import type { Outcome, Problem } from "../problem.ts";
import { makeKernels } from "./gpujs-kernels.ts";
import { add, kerasTrainingNames } from "./layout.ts";
import type { PeerOptions } from "../peers.ts";

export async function open({ adapter }: PeerOptions): Promise<Library[]> {
  const modes: [mode: "webgpu" | "webasm", backend: string, of: string][] = [["webasm", "wasm", "CPU, WASM SIMD, one thread"]];
  if (await GPU.isWebGPUAvailable()) modes.unshift(["webgpu", "webgpu", adapter]);
  return modes.map(([mode, backend, of]) => ({
    name: "gpu.js",
    backend,
    adapter: of,
    version,
    modes: ["forward", "training"],
    required: ({ mode: how }: Case) => (how === "training" ? kerasTrainingNames : ["output"]),
    refuses: ({ cell }: Case) => (cell === "lstm" ? undefined : "the bench has written only an LSTM with it"),
    prepare: (c: Case, problem: Problem) => Promise.resolve(prepare(mode, c, problem)),
  }));
}

type Kernels = ReturnType<typeof makeKernels>;
/** Weights and bias as handles. */
type Weights = readonly [w: Handle, u: Handle, bias: Handle];
interface Trace {
  readonly gates: Handle[];
  /** [T + 1]; the first are zeros. */
  readonly c: Handle[];
  readonly h: Handle[];
}

function unroll(k: Kernels, T: number, [w, u, bias]: Weights, x: Handle, zero: Handle): Trace {
  const projected = k.project(x, w, bias);
  const trace: Trace = { gates: [], c: [zero], h: [zero] };
  for (let t = 0; t < T; t++) {
    trace.gates.push(k.gates(projected, trace.h[t], u, t));
    trace.c.push(k.memory(trace.gates[t], trace.c[t]));
    trace.h.push(k.output(trace.gates[t], trace.c[t + 1]));
  }
  return trace;
}

/** The gradients of W, U and the bias, step by step backwards. */
function differentiate(k: Kernels, T: number, u: Handle, x: Handle, target: Handle, { gates, c, h }: Trace): Handle[] {
  const last = T - 1;
  let dc = k.lastMemoryGradient(k.lastHiddenGradient(h[T], target, last), gates[last], c[T]);
  let dGates = k.gateGradient(k.lastHiddenGradient(h[T], target, last), dc, gates[last], c[last], c[T]);
  let dw = k.firstInputWeightGradient(dGates, x, last);
  let du = k.firstRecurrentWeightGradient(dGates, h[last]);
  let db = k.firstBiasGradient(dGates);
  for (let t = last - 1; t >= 0; t--) {
    const dh = k.hiddenGradient(h[t + 1], target, dGates, u, t);
    dc = k.memoryGradient(dh, gates[t], c[t + 1], dc, gates[t + 1]);
    dGates = k.gateGradient(dh, dc, gates[t], c[t], c[t + 1]);
    dw = k.inputWeightGradient(dw, dGates, x, t);
    du = k.recurrentWeightGradient(du, dGates, h[t]);
    db = k.biasGradient(db, dGates);
  }
  return [dw, du, db];
}

function prepare(mode: "webgpu" | "webasm", { mode: how }: Case, problem: Problem): Subject {
  const { steps: T, batch: B, hidden: H, weights, inputs, targets, learningRate } = problem;
  const gpu = new GPU({ mode });
  const k = makeKernels(gpu, problem);
  const rows = (data: Float32Array, count: number): Input => input(data, [data.length / count, count]);
  const x = rows(inputs, T * B);
  const target = rows(targets, T * B);
  const zero = rows(new Float32Array(B * H), B);
  const rate = rows(Float32Array.of(learningRate), 1);
  // A pipeline takes its arguments from the host each time, weights too; that is how it is made.
  let parameters = [weights.weight_ih_l0.data, weights.weight_hh_l0.data, add(weights.bias_ih_l0.data, weights.bias_hh_l0.data)];
  const given = (): Input[] => [rows(parameters[0], 4 * H), rows(parameters[1], 4 * H), rows(parameters[2], 1)];

  const oneThread = { threads: false };
  const forward = gpu.createPipeline((w, u, bias, input, zeros) => unroll(k, T, [w, u, bias], input, zeros).h.slice(1), oneThread);
  const gradients = gpu.createPipeline(
    (w, u, bias, input, wanted, zeros) => differentiate(k, T, u, input, wanted, unroll(k, T, [w, u, bias], input, zeros)),
    oneThread,
  );
  const step = gpu.createPipeline((w, u, bias, input, wanted, zeros, lr) => {
    const [dw, du, db] = differentiate(k, T, u, input, wanted, unroll(k, T, [w, u, bias], input, zeros));
    return [k.descendInputWeight(w, dw, lr), k.descendRecurrentWeight(u, du, lr), k.descendBias(bias, db, lr)];
  }, oneThread);

  const output = async (): Promise<Float32Array> => join((await forward(...given(), x, zero)).flat());
  const train = async (): Promise<void> => {
    parameters = (await step(...given(), x, target, zero, rate)).map(join);
  };
  const names = ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0"];
  return {
    async check() {
      const outcome: Outcome = { output: await output() };
      if (forward.backend !== mode) throw new Error(`it fell back to ${forward.backend} (${forward.fallbackReason ?? "no reason given"})`);
      if (how === "forward") return outcome;
      (await gradients(...given(), x, target, zero)).forEach((one, i) => void (outcome[`gradient ${names[i]}`] = join(one)));
      await train();
      if (step.backend !== mode) throw new Error(`it fell back to ${step.backend} (${step.fallbackReason ?? "no reason given"})`);
      names.slice(0, 2).forEach((name, i) => void (outcome[`updated ${name}`] = parameters[i]));
      return outcome;
    },
    async run(times) {
      for (let i = 0; i < times; i++) await (how === "forward" ? output() : train());
    },
    free: () => gpu.destroy(),
  };
}

function join(rows: readonly Float32Array[]): Float32Array {
  const width = rows[0].length;
  const result = new Float32Array(rows.length * width);
  rows.forEach((row, i) => result.set(row, i * width));
  return result;
}
