/** ONNX Runtime Web: layers and streams as ONNX models, on its WebAssembly and WebGPU providers. */
import type { Tensor } from "onnxruntime-web";
import * as wasm from "onnxruntime-web/wasm";
import * as webgpu from "onnxruntime-web/webgpu";
import { createStream, type Module } from "webgpu-rnn";
import { exportOnnx } from "webgpu-rnn/formats";
import type { Case } from "../cases.ts";
import type { Library, Subject } from "../library.ts";
import { layerOf, streamModel } from "../models.ts";
import type { PeerOptions } from "../peers.ts";
import type { Problem } from "../problem.ts";
import { subjectOfCalls } from "../streams.ts";

type Runtime = typeof wasm;

export function open({ assets, adapter, all }: PeerOptions): Promise<Library[]> {
  // Two builds of the same version: the one without WebGPU is what a page would load that computes on the CPU only.
  const providers: [name: "wasm" | "webgpu", runtime: Runtime, of: string][] = [["wasm", wasm, "CPU, WASM SIMD, one thread"]];
  // Compiles for seconds, and under Node it may never answer.
  if (all && "gpu" in navigator) providers.unshift(["webgpu", webgpu, adapter]);
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
        modes: ["forward", "stream"],
        refuses: () => undefined,
        prepare: ({ mode }: Case, problem: Problem) => prepare(runtime, backend, mode === "stream", problem),
      };
    }),
  );
}

async function prepare(runtime: Runtime, backend: "wasm" | "webgpu", isStream: boolean, problem: Problem): Promise<Subject> {
  const { cell, steps, batch, input, inputs } = problem;
  const model = isStream ? streamModel(problem) : layerOf(cell, problem);
  model.loadStateDict(problem.weights);
  const bytes = await exportOnnx(model, { states: isStream });
  const session = await runtime.InferenceSession.create(bytes, { executionProviders: [backend] });
  const states = isStream ? await firstStates(runtime, model, batch) : {};
  const pass = async (frames: Float32Array): Promise<Float32Array> => {
    const results = await session.run({ input: new runtime.Tensor("float32", frames, [steps, batch, input]), ...states });
    for (const path of Object.keys(states)) states[path] = results[`${path}.next`];
    const data = await results.output.getData();
    results.output.dispose();
    return data as Float32Array;
  };
  const layer = {
    check: async () => ({ output: await pass(inputs) }),
    async run(times: number) {
      for (let i = 0; i < times; i++) await pass(inputs);
    },
  };
  return { ...(isStream ? subjectOfCalls(pass, problem) : layer), free: () => session.release() };
}

async function firstStates(runtime: Runtime, model: Module, batch: number): Promise<Record<string, Tensor>> {
  const stream = await createStream(model, { batch });
  const states = Object.entries(stream.state.shapes).map(([path, shape]) => {
    const zeros = new Float32Array(shape.reduce((a, b) => a * b, 1));
    return [path, new runtime.Tensor("float32", zeros, shape)] as const;
  });
  stream.dispose();
  return Object.fromEntries(states);
}
