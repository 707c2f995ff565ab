/** ONNX Runtime Web: its LSTM, GRU and RNN operators, forward only, on its WebAssembly and WebGPU providers. */
import { onnx } from "onnx-proto";
import * as wasm from "onnxruntime-web/wasm";
import * as webgpu from "onnxruntime-web/webgpu";
import { gatesOf, type Case, type Cell } from "../cases.ts";
import type { Library, Subject } from "../library.ts";
import type { Problem } from "../problem.ts";
import { reorder } from "./layout.ts";
import type { PeerOptions } from "../peers.ts";

/** Where each of ONNX' gates (i o f c; z r h) stands among PyTorch's (i f g o; r z n). */
const gateOrder: Readonly<Record<Cell, readonly number[]>> = {
  rnn: [0],
  lstm: [0, 3, 1, 2],
  gru: [1, 0, 2],
  "gru-reset-before": [1, 0, 2],
};
const operator: Readonly<Record<Cell, string>> = { rnn: "RNN", lstm: "LSTM", gru: "GRU", "gru-reset-before": "GRU" };

type Runtime = typeof wasm;

export function open({ assets, adapter }: PeerOptions): Promise<Library[]> {
  // Two builds of the same version: the one without WebGPU is what a page would load that computes on the CPU only.
  const providers: [name: "wasm" | "webgpu", runtime: Runtime, of: string][] = [["wasm", wasm, "CPU, WASM SIMD, one thread"]];
  if ("gpu" in navigator) providers.unshift(["webgpu", webgpu, adapter]);
  return Promise.resolve(
    providers.map(([backend, runtime, of]) => {
      runtime.env.wasm.wasmPaths = assets;
      runtime.env.wasm.numThreads = 1;
      runtime.env.logLevel = "error";
      return {
        name: "onnxruntime-web",
        backend,
        adapter: of,
        version: runtime.env.versions.web,
        refuses: ({ mode }: Case) => (mode === "forward" ? undefined : "it runs models, and does not train them"),
        prepare: (_: Case, problem: Problem) => prepare(runtime, backend, problem),
      };
    }),
  );
}

/** A model of one node. */
function modelBytes({ cell, steps: T, batch: B, input: I, hidden: H, weights }: Problem): Uint8Array {
  const order = gateOrder[cell];
  const GH = gatesOf(cell) * H;
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
  const biases = new Float32Array(2 * GH);
  biases.set(reorder(weights.bias_ih_l0.data, order));
  biases.set(reorder(weights.bias_hh_l0.data, order), GH);
  const { INT } = onnx.AttributeProto.AttributeType;
  const attribute = [
    { name: "hidden_size", type: INT, i: H },
    ...(cell === "gru" ? [{ name: "linear_before_reset", type: INT, i: 1 }] : []),
  ];
  return onnx.ModelProto.encode({
    irVersion: 7,
    opsetImport: [{ domain: "", version: 14 }],
    graph: {
      name: "layer",
      node: [{ opType: operator[cell], input: ["x", "w", "r", "b"], output: ["y"], attribute }],
      initializer: [
        constant("w", [1, GH, I], reorder(weights.weight_ih_l0.data, order)),
        constant("r", [1, GH, H], reorder(weights.weight_hh_l0.data, order)),
        constant("b", [1, 2 * GH], biases),
      ],
      input: [value("x", [T, B, I])],
      output: [value("y", [T, 1, B, H])],
    },
  }).finish();
}

async function prepare(runtime: Runtime, backend: "wasm" | "webgpu", problem: Problem): Promise<Subject> {
  const session = await runtime.InferenceSession.create(modelBytes(problem), { executionProviders: [backend] });
  const { steps, batch, input, inputs } = problem;
  const pass = async (): Promise<Float32Array> => {
    const { y } = await session.run({ x: new runtime.Tensor("float32", inputs, [steps, batch, input]) });
    const data = await y.getData();
    y.dispose();
    return data as Float32Array;
  };
  return {
    check: async () => ({ output: await pass() }),
    async run(times) {
      for (let i = 0; i < times; i++) await pass();
    },
    free: () => session.release(),
  };
}
