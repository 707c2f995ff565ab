/** TensorFlow.js: its own recurrent layers, on its WebGPU, WebAssembly and plain JavaScript backends. */
import * as tf from "@tensorflow/tfjs-core";
// The layers call methods of tensors, and training needs derivatives; neither comes by itself.
import "@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js";
import "@tensorflow/tfjs-core/dist/register_all_gradients.js";
import "@tensorflow/tfjs-backend-cpu";
import { setThreadsCount, setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import "@tensorflow/tfjs-backend-webgpu";
import { layers, type RecurrentLayer } from "@tensorflow/tfjs-layers";
import type { Case, Cell } from "../cases.ts";
import type { Library, Subject } from "../library.ts";
import type { Problem } from "../problem.ts";
import { fromKeras, kerasTrainingNames, swapFirstTwo, toKeras, type KerasWeights } from "./layout.ts";
import type { PeerOptions } from "../peers.ts";

/** Where each of tfjs' gates (i f c o; z r h) stands among PyTorch's (i f g o; r z n). */
const gateOrder: Readonly<Partial<Record<Cell, readonly number[]>>> = { rnn: [0], lstm: [0, 1, 2, 3], "gru-reset-before": [1, 0, 2] };

export async function open({ assets, adapter }: PeerOptions): Promise<Library[]> {
  setWasmPaths(assets);
  // One thread, as everywhere in this bench.
  setThreadsCount(1);
  tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
  const libraries: Library[] = [];
  for (const backend of ["webgpu", "wasm", "cpu"]) {
    if (!(await tf.setBackend(backend).catch(() => false))) continue;
    await tf.ready();
    libraries.push(
      library(backend, backend === "webgpu" ? adapter : backend === "wasm" ? "CPU, WASM SIMD, one thread" : "CPU, plain JavaScript"),
    );
  }
  return libraries;
}

function library(backend: string, adapter: string): Library {
  return {
    name: "tfjs",
    backend,
    adapter,
    version: tf.version_core,
    required: ({ mode }) => (mode === "training" ? kerasTrainingNames : ["output"]),
    modes: ["forward", "training"],
    refuses({ cell, ...shape }: Case) {
      if (!gateOrder[cell]) return "its GRU resets before the product only; see gru-reset-before";
      // A run of plain JavaScript takes minutes there, and says nothing that the smaller shapes do not.
      if (backend === "cpu" && shape.steps * shape.batch * shape.hidden * (shape.input + shape.hidden) > 1e8)
        return "would take minutes a run";
      return undefined;
    },
    prepare: (of, problem) => prepare(backend, of, problem),
  };
}

function makeLayer({ cell, steps, input, hidden }: Problem): RecurrentLayer {
  const options = { units: hidden, returnSequences: true, inputShape: [steps, input] };
  switch (cell) {
    case "rnn":
      return layers.simpleRNN(options);
    case "lstm":
      return layers.lstm({ ...options, recurrentActivation: "sigmoid" });
    default:
      return layers.gru({ ...options, recurrentActivation: "sigmoid" });
  }
}

async function prepare(backend: string, { mode }: Case, problem: Problem): Promise<Subject> {
  await tf.setBackend(backend);
  const { steps: T, batch: B, input: I, hidden: H, cell, learningRate } = problem;
  const order = gateOrder[cell]!;
  const hostInput = swapFirstTwo(problem.inputs, T, B, I);
  const x = tf.tensor(hostInput, [B, T, I]);
  const target = tf.tensor(swapFirstTwo(problem.targets, T, B, H), [B, T, H]);
  const layer = makeLayer(problem);
  // The first call makes the weights; there is no other way that marks the layer as built.
  layer.apply(x).dispose();
  const { kernel, recurrent, bias } = toKeras(problem, order);
  const GH = order.length * H;
  layer.setWeights([tf.tensor(kernel, [I, GH]), tf.tensor(recurrent, [H, GH]), tf.tensor(bias, [GH])]);
  const optimizer = tf.train.sgd(learningRate);
  const variables = layer.trainableWeights.map((weight) => weight.val);
  const loss = (): tf.Tensor => tf.mean(tf.square(tf.sub(layer.apply(x), target)));

  const read = async (tensors: readonly tf.Tensor[]): Promise<KerasWeights> => {
    const [k, r, b] = await Promise.all(tensors.map((tensor) => tensor.data()));
    return { kernel: k, recurrent: r, bias: b };
  };
  const output = async (): Promise<Float32Array> => {
    const y = tf.tidy(() => layer.apply(x));
    const data = await y.data();
    y.dispose();
    return swapFirstTwo(data, B, T, H);
  };
  /** One step; the loss stays on the device. */
  const step = (): tf.Tensor => optimizer.minimize(loss, true, variables);

  return {
    async check() {
      await tf.setBackend(backend);
      if (mode === "forward") return { output: await output() };
      const { value, grads } = tf.variableGrads(loss, variables);
      const gradients = await read(variables.map(({ name }) => grads[name]));
      tf.dispose([value, grads]);
      const before = await output();
      step().dispose();
      return {
        output: before,
        ...fromKeras(problem, order, "gradient", gradients),
        ...fromKeras(problem, order, "updated", await read(variables)),
      };
    },
    async run(times) {
      await tf.setBackend(backend);
      for (let i = 0; i < times; i++) {
        if (mode === "training") {
          const cost = step();
          if (i === times - 1) await cost.data();
          cost.dispose();
        } else {
          const given = tf.tensor(hostInput, [B, T, I]);
          const y = tf.tidy(() => layer.apply(given));
          await y.data();
          tf.dispose([given, y]);
        }
      }
    },
    free() {
      layer.dispose();
      tf.dispose([x, target]);
      optimizer.dispose();
    },
  };
}
