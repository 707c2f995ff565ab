/** This package on one of its backends, as the bench measures it. */
import {
  calibrate,
  createBackend,
  forward,
  gradients,
  sgd,
  squaredError,
  type Backend,
  type Module,
  type ResultArrays,
  type Tensor,
  type Trainer,
} from "webgpu-rnn";
import { planFor } from "../src/session/plan.ts";
import { randomWords } from "../src/session/run-context.ts";
import { Session } from "../src/session/session.ts";
import { flopsOf, type Case } from "./cases.ts";
import { benchShaders } from "./ceiling.ts";
import type { Library, Subject } from "./library.ts";
import { characterBatch, characterModel, characterOutcome, drawTokens, layerOf, trainerOf } from "./models.ts";
import type { Outcome, Problem } from "./problem.ts";
import { streamSubject } from "./streams.ts";

export interface Ours extends Library {
  /** For the best matrix product; each case has a device of its own, which takes its memory with it. */
  readonly device: Backend;
  /** Calibrates before the first case. Compiling takes a while on some devices. */
  calibrate(): Promise<void>;
}

export async function ours(kind: "cpu" | "webgpu"): Promise<Ours> {
  const options = kind === "webgpu" ? { shaders: benchShaders } : { threads: 1 };
  const device = await createBackend(kind, options);
  const own = (): Promise<Backend> => createBackend(kind, { ...(kind === "cpu" ? options : {}), profile: device.profile });
  return {
    name: "webgpu-rnn",
    backend: kind,
    adapter: device.adapter,
    device,
    async calibrate() {
      await calibrate(device);
    },
    refuses: () => undefined,
    prepare: async (of, problem) => prepare(of, problem, await own()),
  };
}

/** Multiplications from which on a layer's products are large enough to be shared. */
const worthThreads = 2 ** 24;

function whyNoThreads(of: Case): string | undefined {
  if (flopsOf({ ...of, mode: "forward" }) / 2 < worthThreads) return "the layer is too small to be shared";
  // Node does not know the word, and always has threads.
  return "crossOriginIsolated" in globalThis && !globalThis.crossOriginIsolated
    ? "the page is not isolated, as threads need it to be"
    : undefined;
}

/** A backend on two threads, also where other libraries are kept from starting any (peers/no-workers.ts). */
async function backendOfTwo(): Promise<Backend> {
  const own: unknown = (globalThis as { [hidden: symbol]: unknown })[Symbol.for("the engine's Worker")];
  const hiding = Object.getOwnPropertyDescriptor(globalThis, "Worker");
  if (own !== undefined) Object.defineProperty(globalThis, "Worker", { value: own, configurable: true });
  try {
    return await createBackend("cpu", { threads: 2 });
  } finally {
    if (own !== undefined) Object.defineProperty(globalThis, "Worker", hiding!);
  }
}

/** Layers on two threads of the CPU. @param adapter the CPU in words, with one thread */
export const onTwoThreads = (adapter: string): Library => ({
  name: "webgpu-rnn",
  backend: "cpu 2 threads",
  adapter: `${adapter}, 2 threads`,
  modes: ["forward", "training"],
  refuses: whyNoThreads,
  prepare: async (of, problem) => prepare(of, problem, await backendOfTwo()),
});

/** @param backend destroyed with the subject */
async function prepare(of: Case, problem: Problem, backend: Backend): Promise<Subject> {
  try {
    const subject = await subjectOf(of, problem, backend);
    return { ...subject, counters: backend.counters, free: () => backend.destroy() };
  } catch (error) {
    backend.destroy();
    throw error;
  }
}

async function subjectOf(of: Case, problem: Problem, backend: Backend): Promise<Omit<Subject, "free">> {
  switch (of.mode) {
    case "forward":
      return forwardSubject(backend, problem);
    case "training":
      return trainingSubject(backend, problem);
    case "model":
    case "generation":
      return characterSubject(backend, of);
    case "stream":
      return streamSubject(backend, problem);
  }
}

const inputTensor = ({ steps, batch, input, inputs }: Problem): Tensor => ({ shape: [steps, batch, input], data: inputs });

async function forwardSubject(backend: Backend, problem: Problem): Promise<Omit<Subject, "free">> {
  const model = loadedLayer(problem);
  const x = inputTensor(problem);
  const into = await resultArrays(model, backend, x);
  const pass = (): Promise<Outcome> => forward(model, x, { backend, into }).then(({ output }) => ({ output: output.data as Float32Array }));
  const { program, data } = await residentForward(model, backend, x);
  return {
    check: pass,
    async run(times) {
      for (let i = 0; i < times; i++) await pass();
    },
    async steady(times) {
      const { downloads, milliseconds } = await program.run(data, { repeat: times, timed: true });
      await downloads;
      return milliseconds;
    },
  };
}

/** Arrays for all results, which each pass writes again. They hold NaN first, so that the check sees a pass that leaves one out. */
async function resultArrays(model: Module, backend: Backend, x: Tensor): Promise<ResultArrays> {
  const { output, state } = await forward(model, x, { backend });
  return {
    output: output.data.fill(NaN),
    state: Object.fromEntries(Object.entries(state).map(([path, { data }]) => [path, data.fill(NaN)])),
  };
}

/** A forward pass whose input and output stay on the device; the public `forward` transfers both. */
async function residentForward(model: Module, backend: Backend, x: Tensor) {
  const session = Session.of(model, backend);
  const { plan, data } = planFor(model, { input: x }, { differentiates: false });
  // A small read-back, to be able to wait for the end.
  const { program } = await session.make(plan, ({ recording, states }) => recording.download("end", states.get("h")!.final[0].view));
  await session.store.sync();
  return { program, data: { ...data, random: randomWords(0, 0) } };
}

function trainingSubject(backend: Backend, problem: Problem): Omit<Subject, "free"> {
  const model = loadedLayer(problem);
  const shape = [problem.steps, problem.batch, problem.hidden];
  const batch = { input: inputTensor(problem), targets: { shape, data: problem.targets }, startsSequence: true };
  // The norm is far below 5, so clipping runs but changes nothing. The other libraries do not clip.
  const trainer = trainerOf(model, backend, batch, squaredError(), sgd({ learningRate: problem.learningRate }));
  return {
    async check() {
      const { output } = await forward(model, batch.input, { backend });
      const cotangent = problem.targets.map((target, i) => (2 / problem.targets.length) * (output.data[i] - target));
      const {
        gradients: { parameters },
      } = await gradients(model, batch.input, { output: { shape, data: cotangent } }, { backend });
      const outcome: Outcome = { output: output.data as Float32Array };
      for (const [name, { data }] of Object.entries(parameters)) outcome[`gradient ${name}`] = data as Float32Array;
      await train(trainer, 1);
      for (const [name, { data }] of Object.entries(await model.stateDict())) outcome[`updated ${name}`] = data as Float32Array;
      return outcome;
    },
    run: (times) => train(trainer, times),
  };
}

function characterSubject(backend: Backend, of: Case): Omit<Subject, "free"> {
  const model = characterModel(of);
  const trainer = of.mode === "model" ? trainerOf(model, backend, characterBatch(of)) : undefined;
  return {
    check: () => characterOutcome(of, backend, model, trainer),
    async run(times) {
      if (trainer) return train(trainer, times);
      for (let i = 0; i < times; i++) await drawTokens(model, backend, of.steps);
    },
  };
}

function loadedLayer(problem: Problem): Module {
  const model = layerOf(problem.cell, problem);
  model.loadStateDict(problem.weights);
  return model;
}

async function train(trainer: Trainer, steps: number): Promise<void> {
  for await (const _ of trainer.run({ steps }));
}
