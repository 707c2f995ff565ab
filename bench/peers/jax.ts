/** jax-js: a layer written out step by step, as it has no scan, and compiled whole by `jit`. */
import "./no-workers.ts";
import { defaultDevice, init, jit, nn, numpy as np, valueAndGrad, type Device, type JaxArray } from "@jax-js/jax";
import { gatesOf, type Case } from "../cases.ts";
import type { Library, Subject } from "../library.ts";
import type { Outcome, Problem } from "../problem.ts";
import { fromKeras, kerasTrainingNames, reorder, toKeras } from "./layout.ts";
import type { PeerOptions } from "../peers.ts";

export const jaxVersion = "0.1.25";

export async function open({ adapter }: PeerOptions): Promise<Library[]> {
  const available = await init("webgpu", "wasm");
  return (["webgpu", "wasm"] as const)
    .filter((device) => available.includes(device))
    .map((device) => ({
      name: "jax-js",
      backend: device,
      adapter: device === "webgpu" ? adapter : "CPU, WASM SIMD, one thread",
      version: jaxVersion,
      required: ({ mode, cell }: Case) =>
        mode === "training" ? [...kerasTrainingNames, ...(cell === "gru" ? ["gradient bias_hh_l0"] : [])] : ["output"],
      modes: ["forward", "training"],
      refuses: () => undefined,
      prepare: (of: Case, problem: Problem) => prepare(device, of, problem),
    }));
}

/** Kernel [I, G·H], recurrent [H, G·H], bias [G·H], and for the GRU that resets after the product its own bias [G·H]. */
type Weights = JaxArray[];

/** Every use of an array consumes it; `.ref` is one more use. */
function forward({ cell, steps: T, batch: B, input: I, hidden: H }: Problem, weights: Weights, x: JaxArray): JaxArray {
  const [kernel, recurrent, bias, recurrentBias] = weights;
  const GH = gatesOf(cell) * H;
  const projected = np
    .matmul(x.reshape([T * B, I]), kernel)
    .add(bias)
    .reshape([T, B, GH]);
  let h = np.zeros([B, H]);
  let c = np.zeros([B, H]);
  const outputs: JaxArray[] = [];
  for (let t = 0; t < T; t++) {
    const given = projected.ref.slice(t);
    switch (cell) {
      case "rnn":
        h = np.tanh(given.add(np.matmul(h, recurrent.ref)));
        break;
      case "lstm": {
        const [i, f, g, o] = np.split(given.add(np.matmul(h, recurrent.ref)), 4, 1);
        c = nn
          .sigmoid(f)
          .mul(c)
          .add(nn.sigmoid(i).mul(np.tanh(g)));
        h = nn.sigmoid(o).mul(np.tanh(c.ref));
        break;
      }
      case "gru": {
        const [r, z, n] = np.split(given, 3, 1);
        const [hr, hz, hn] = np.split(np.matmul(h.ref, recurrent.ref).add(recurrentBias.ref), 3, 1);
        h = mix(nn.sigmoid(z.add(hz)), np.tanh(n.add(nn.sigmoid(r.add(hr)).mul(hn))), h);
        break;
      }
      case "gru-reset-before": {
        const [gates, n] = np.split(given, [2 * H], 1);
        const [gateWeights, candidateWeights] = np.split(recurrent.ref, [2 * H], 1);
        const [r, z] = np.split(nn.sigmoid(gates.add(np.matmul(h.ref, gateWeights))), 2, 1);
        h = mix(z, np.tanh(n.add(np.matmul(r.mul(h.ref), candidateWeights))), h);
        break;
      }
    }
    outputs.push(h.ref);
  }
  for (const used of [h, c, projected, recurrent, ...(recurrentBias ? [recurrentBias] : [])]) used.dispose();
  return np.stack(outputs);
}

/** (1 - z)·n + z·h */
const mix = (z: JaxArray, n: JaxArray, h: JaxArray): JaxArray => n.ref.add(z.mul(h.sub(n)));

async function prepare(device: Device, { mode }: Case, problem: Problem): Promise<Subject> {
  defaultDevice(device);
  const { steps: T, batch: B, input: I, hidden: H, cell } = problem;
  const order = [...Array(gatesOf(cell)).keys()];
  const GH = gatesOf(cell) * H;
  const array = (data: Float32Array, shape: number[]): JaxArray => np.array(data, { shape, device });
  const { kernel, recurrent, bias } = toKeras(problem, order);
  const two = cell === "gru";
  let weights: Weights = [
    array(kernel, [I, GH]),
    array(recurrent, [H, GH]),
    array(two ? problem.weights.bias_ih_l0.data : bias, [GH]),
    ...(two ? [array(problem.weights.bias_hh_l0.data, [GH])] : []),
  ];
  const x = array(problem.inputs, [T, B, I]);
  const target = array(problem.targets, [T, B, H]);
  const rate = array(Float32Array.of(problem.learningRate), [1]);
  const refs = (): Weights => weights.map((w) => w.ref);

  const run = jit((input: JaxArray, ...given: Weights) => forward(problem, given, input), { device });
  const loss = (...[input, wanted, ...given]: JaxArray[]): JaxArray => np.mean(np.square(forward(problem, given, input).sub(wanted)));
  const derivative = valueAndGrad(loss, { argnums: weights.map((_, i) => i + 2) });
  const gradients = jit((...args: JaxArray[]) => derivative(...args)[1], { device });
  const step = jit(
    (lr: JaxArray, input: JaxArray, wanted: JaxArray, ...given: Weights) => {
      const [value, slopes] = derivative(input, wanted, ...given.map((w) => w.ref));
      const updated = given.map((w, i) => w.sub(slopes[i].mul(lr.ref)));
      lr.dispose();
      return [value, ...updated];
    },
    { device },
  );

  const train = (): JaxArray => {
    const [value, ...updated] = step(rate.ref, x.ref, target.ref, ...weights);
    weights = updated;
    return value;
  };
  const read = async (arrays: readonly JaxArray[], prefix: string): Promise<Outcome> => {
    const [k, r, b, second] = await Promise.all(arrays.map((one) => one.data()));
    return {
      ...fromKeras(problem, order, prefix, { kernel: k, recurrent: r, bias: b }),
      ...(second && prefix === "gradient" ? { "gradient bias_hh_l0": reorder(second, order) } : {}),
    };
  };
  return {
    async check() {
      defaultDevice(device);
      const outcome: Outcome = { output: await run(x.ref, ...refs()).data() };
      if (mode === "forward") return outcome;
      Object.assign(outcome, await read(gradients(x.ref, target.ref, ...refs()), "gradient"));
      await train().data();
      return Object.assign(outcome, await read(refs(), "updated"));
    },
    async run(times) {
      defaultDevice(device);
      for (let i = 0; i < times; i++) {
        if (mode === "forward") {
          await run(array(problem.inputs, [T, B, I]), ...refs()).data();
        } else {
          const value = train();
          if (i === times - 1) await value.data();
          else value.dispose();
        }
      }
    },
    free() {
      for (const one of [...weights, x, target, rate]) one.dispose();
      for (const compiled of [run, gradients, step]) compiled.dispose();
    },
  };
}
