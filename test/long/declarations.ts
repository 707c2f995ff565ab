/** Strict programs that use the package's declarations, and TypeScript's versions to compile them. */
import { join } from "node:path";
import { run, tool, tools, writeFiles, type Ran } from "./packed.ts";

/** Compiles only if the package has types, and the right ones: a wrong call must be an error. */
const program = (packageName: string): string => `
import { adam, createBackend, crossEntropy, Embedding, forward, GRU, Linear, LSTM, RnnError, Sequential, tensor, TextData, Trainer } from "${packageName}";
import type { Backend, Progress } from "${packageName}";
export async function train(): Promise<number[]> {
  const backend: Backend = await createBackend("cpu");
  const data = TextData.from("hello", { batch: 1, steps: 2 });
  const model = new Sequential({ embedding: new Embedding(data.vocabulary.size, 4), rnn: new LSTM(4, 8), linear: new Linear(8, data.vocabulary.size) });
  const trainer = new Trainer(model, { backend, data, loss: crossEntropy(), optimizer: adam({ learningRate: 0.01 }) });
  const losses: number[] = [];
  for await (const progress of trainer.run({ steps: 3 })) losses.push(((one: Progress) => one.loss)(progress));
  const bytes: Uint8Array = await trainer.checkpoint();
  const { output } = await forward(new GRU(2, 3), tensor([[[1, 2]]]), { backend });
  // @ts-expect-error A size is a number.
  new LSTM("4", 8);
  // @ts-expect-error No such option.
  new LSTM(4, 8, { layers: 2 });
  // @ts-expect-error There is no such backend.
  void createBackend("gpu").catch((error: unknown) => error instanceof RnnError);
  return [...losses, bytes.length, ...output.data];
}
`;

const furtherEntries = `
import { Linear, LSTM, Module, tensor, type Context, type Variable } from "webgpu-rnn";
import { encodeSafetensors } from "webgpu-rnn/formats";
import { jacobian } from "webgpu-rnn/inspect";
import { Attention } from "webgpu-rnn/language";
import * as ops from "webgpu-rnn/ops";
export const bytes: Uint8Array = encodeSafetensors({ x: tensor([1]) });
export const doubled = (context: Context, x: Variable): Variable => ops.scale(context, x, 2);
export const parts: Module[] = [new LSTM(2, 3), new Linear(2, 3)];
export { Attention, jacobian };
`;

/** With the types of WebGPU a device of another kind is an error. */
const withDevice = `
import { createBackend } from "webgpu-rnn";
export const lent = (device: GPUDevice) => createBackend("webgpu", { device });
// @ts-expect-error This is no device.
export const wrong = () => createBackend("webgpu", { device: 5 });
`;

const versions = ["5.2", "5.4", "5.7", "5.9", "6", "7"];
const resolutions = { node10: "commonjs", node16: "node16", bundler: "esnext" };
export type Resolution = keyof typeof resolutions;

/** Version and `moduleResolution`. TypeScript 7 has no node10. */
export const compilers = versions.flatMap((version) =>
  (Object.keys(resolutions) as Resolution[])
    .filter((resolution) => version !== "7" || resolution !== "node10")
    .map((resolution) => [version, resolution] as const),
);

/** To be written into the project. */
export const programs = {
  "core.ts": program("webgpu-rnn"),
  "entries.ts": furtherEntries,
  "static.ts": program("webgpu-rnn/static"),
  "import.mts": program("webgpu-rnn"),
  "require.cts": program("webgpu-rnn"),
  "device.ts": withDevice,
} as const;

/** Since version 6 the DOM library knows WebGPU; its names are those of the package, which cannot stand beside it. */
export const knowsWebGpu = (version: string): boolean => Number(version) >= 6;

/** Compiles the programs, the declarations included (`skipLibCheck` is off). */
export async function compile(project: string, version: string, moduleResolution: Resolution, webgpuTypes: boolean): Promise<Ran> {
  const name = `tsconfig-${version}-${moduleResolution}-${webgpuTypes}.json`;
  const files = [
    "core.ts",
    "entries.ts",
    "static.ts",
    ...(moduleResolution === "node16" ? ["import.mts", "require.cts"] : []),
    ...(webgpuTypes || knowsWebGpu(version) ? ["device.ts"] : []),
  ];
  const compilerOptions = {
    strict: true,
    // Stricter than strict: apps may choose these, and they count in declarations too.
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noImplicitOverride: true,
    isolatedModules: true,
    noEmit: true,
    skipLibCheck: false,
    target: "es2022",
    lib: ["es2022", "dom"],
    module: resolutions[moduleResolution],
    moduleResolution,
    types: webgpuTypes ? [join(tools, "node_modules/@webgpu/types")] : [],
    ...(version === "6" && moduleResolution === "node10" ? { ignoreDeprecations: "6.0" } : {}),
  };
  await writeFiles(project, { [name]: JSON.stringify({ compilerOptions, files }) });
  return run(project, process.execPath, [tool(`typescript-${version}`, "tsc"), "-p", name]);
}
