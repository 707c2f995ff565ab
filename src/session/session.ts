/** Where a model meets a backend: records per shape and mode, keeps what it has recorded, runs it. */
import type { Backend, DeviceBuffer, PrepareOptions, Program } from "../backend/backend.ts";
import { checkChoice, checkOptionNames, RnnError, show } from "../errors.ts";
import { Module } from "../nn/module.ts";
import type { Strategy } from "../ops/recurrent-strategy.ts";
import type { Buffer } from "../recording/recording.ts";
import { checkFinite, checkIds, checkTensor, type FloatArray, type NumericArray, type Tensor } from "../tensor/tensor.ts";
import { ParameterStore } from "./parameter-store.ts";
import { batchOf, RunContext, type RecordingPlan, type StateSource } from "./run-context.ts";

/** What a model is run on. Without a batch of rows of different lengths, `input` alone will do. */
export interface ModelInputs {
  /** Numbers, or ids if the model starts with an Embedding; [steps, batch, ·] unless the layers are batchFirst. */
  input: Tensor;
  /** Initial states by path, e.g. `h` and `c` of an LSTM, `rnn.h` inside a Sequential; zeros if left out. */
  state?: Readonly<Record<string, Tensor>>;
  /** Steps of each row of the batch, in any order; 0 is allowed. Outputs past a row's end are zero. */
  lengths?: ArrayLike<number>;
}

/** What a forward pass gives. */
export interface ModelOutputs {
  /** In the input's order of steps and batch. */
  output: Tensor<FloatArray>;
  /** Final states by path, each [layers·directions, batch, H]: after the last step of each row. */
  state: Record<string, Tensor<FloatArray>>;
}

/** Cotangents: ∂L/∂output and, where wanted, ∂L/∂(final state) by path. */
export interface Cotangents {
  output?: Tensor;
  state?: Readonly<Record<string, Tensor>>;
}

/** What a forward and backward pass gives. */
export interface ModelGradients extends ModelOutputs {
  gradients: {
    /** By parameter name, in PyTorch's shapes. */
    parameters: Record<string, Tensor<FloatArray>>;
    /** Undefined if the input is ids. */
    input?: Tensor<FloatArray>;
    /** With respect to the initial states that were given. */
    state: Record<string, Tensor<FloatArray>>;
  };
}

export interface RunOptions {
  backend: Backend;
  /** Whether dropout is active (default false). */
  training?: boolean;
  /** Seed of the dropout masks (default 0). */
  seed?: number;
  /** One dispatch for a layer's whole time loop, or one for each step (default: what suits its size). */
  strategy?: Strategy;
}

/** Gives the memory behind an external buffer; asked once a recording. */
export type MemoryFor = (label: string, buffer: Buffer) => DeviceBuffer;

/** A recording with its context and the program that runs it. */
export interface Prepared {
  readonly context: RunContext;
  readonly program: Program;
}

const sessions = new WeakMap<Backend, WeakMap<Module, Session>>();

/** Frees the device memory of models that nobody holds any more, since nobody is asked to dispose of them. */
const abandoned = new FinalizationRegistry<{ store: ParameterStore; prepared: Map<string, Promise<Prepared>> }>(({ store, prepared }) => {
  store.free();
  for (const one of prepared.values()) one.then(({ program }) => program.free(), () => undefined);
});

export class Session {
  readonly store: ParameterStore;
  private readonly prepared = new Map<string, Promise<Prepared>>();
  /** Recordings kept; a stream of ever new shapes must not fill the device. */
  private static readonly most = 16;

  private constructor(readonly model: Module, readonly backend: Backend) {
    this.store = new ParameterStore(model, backend);
  }

  /** The session of this model on this backend. */
  static of(model: Module, backend: Backend): Session {
    if (!(model instanceof Module)) throw new RnnError("option", "model", `must be a Module, got ${show(model)}`);
    if (typeof (backend as Backend | undefined)?.prepare !== "function") throw new RnnError("option", "backend", `must come from createBackend, got ${show(backend)}`);
    let models = sessions.get(backend);
    if (!models) sessions.set(backend, (models = new WeakMap()));
    let session = models.get(model);
    if (!session) {
      models.set(model, (session = new Session(model, backend)));
      abandoned.register(model, { store: session.store, prepared: session.prepared });
    }
    return session;
  }

  /**
   * The recording for `plan`, completed by `finish` the first time; `key` tells apart what `finish` does.
   * @param memoryFor gives the memory behind the context's externals
   */
  async prepare(key: string, plan: RecordingPlan, finish: (context: RunContext) => void, memoryFor?: MemoryFor): Promise<Prepared> {
    const id = `${key} ${JSON.stringify(plan)}`;
    const known = this.prepared.get(id);
    if (known) {
      // The latest used stands last; the first is the one to go.
      this.prepared.delete(id);
      this.prepared.set(id, known);
      return known;
    }
    const made = this.make(plan, finish, memoryFor);
    this.prepared.set(id, made);
    made.catch(() => this.prepared.delete(id));
    await this.evict();
    return made;
  }

  /** Records without keeping: for verification and for printing. */
  async make(plan: RecordingPlan, finish: (context: RunContext) => void, memoryFor?: MemoryFor, options?: PrepareOptions): Promise<Prepared> {
    const context = new RunContext(this.model, this.store, plan);
    finish(context);
    const memory = new Map<Buffer, DeviceBuffer>([[context.parameters.buffer, this.store.parameters], [context.gradients.buffer, this.store.gradients]]);
    for (const [label, { buffer }] of context.externals) {
      if (!memoryFor) throw new RnnError("device", label, "has no memory");
      memory.set(buffer, memoryFor(label, buffer));
    }
    const program = await this.backend.prepare(context.recording, memory, options);
    return { context, program };
  }

  /** Frees the recordings whose key starts with `key`. */
  forget(key: string): void {
    for (const [id, old] of this.prepared) {
      if (!id.startsWith(`${key} `)) continue;
      this.prepared.delete(id);
      old.then(({ program }) => program.free(), () => undefined);
    }
  }

  private async evict(): Promise<void> {
    for (const [id, old] of [...this.prepared].slice(0, Math.max(0, this.prepared.size - Session.most))) {
      this.prepared.delete(id);
      (await old).program.free();
    }
  }
}

/** Checks inputs against the model and says how to record them. */
export function planFor(model: Module, inputs: ModelInputs, options: { training?: boolean; differentiates: boolean; strategy?: Strategy }): { plan: RecordingPlan; data: Record<string, NumericArray> } {
  checkOptionNames("inputs", inputs, ["input", "state", "lengths"]);
  const input = checkTensor("inputs", "input", inputs.input);
  if (model.idCount !== undefined) checkIds("inputs", "input", input.data, model.idCount);
  else checkFinite("inputs", "input", input.data);
  if (input.shape.some((n) => n === 0)) throw new RnnError("shape", "inputs", `input must have no dimension of size 0, got ${show([...input.shape])}`);
  const data: Record<string, NumericArray> = { input: input.data };
  const states: StateSource = { kind: "given", shapes: {} };
  for (const [path, value] of Object.entries(inputs.state ?? {})) {
    const state = checkTensor("inputs", `state "${path}"`, value);
    checkFinite("inputs", `state "${path}"`, state.data);
    (states.shapes as Record<string, readonly number[]>)[path] = state.shape;
    data[`state.${path}`] = state.data;
  }
  if (inputs.lengths) data.lengths = checkLengths(model, inputs.lengths, input.shape);
  const plan: RecordingPlan = {
    inputShape: input.shape, states, hasLengths: inputs.lengths !== undefined,
    training: options.training ?? false, differentiates: options.differentiates, inputGradient: options.differentiates, strategy: options.strategy,
  };
  return { plan, data };
}

/** @throws RnnError `option` */
export function checkStrategy(where: string, strategy: unknown): Strategy | undefined {
  return strategy === undefined ? undefined : checkChoice<Strategy>(where, "strategy", strategy, ["loop", "step"]);
}

function checkRunOptions(where: string, options: RunOptions): void {
  checkOptionNames(where, options, ["backend", "training", "seed", "strategy"]);
  checkStrategy(where, options.strategy);
}

function checkLengths(model: Module, lengths: ArrayLike<number>, shape: readonly number[]): Uint32Array {
  const batch = batchOf(model, shape);
  const steps = shape[model.batchFirst ? 1 : 0];
  if (lengths.length !== batch) throw new RnnError("shape", "inputs", `lengths must hold one number per row of the batch, ${batch}, got ${lengths.length}`);
  checkIds("inputs", "lengths", lengths, steps + 1);
  return Uint32Array.from(lengths);
}

/** Joins the downloads `<name>.<path>.<i>` into one tensor per state. */
function joinStates(context: RunContext, downloads: Readonly<Record<string, NumericArray>>, name: string, backend: Backend, wanted: (path: string) => boolean): Record<string, Tensor<FloatArray>> {
  const result: Record<string, Tensor<FloatArray>> = {};
  for (const [path, { shape }] of context.states) {
    if (!wanted(path)) continue;
    const data = backend.floats(shape.reduce((product, n) => product * n, 1));
    for (let i = 0; i < shape[0]; i++) {
      const part = downloads[`${name}.${path}.${i}`];
      if (part) data.set(part, (i * data.length) / shape[0]);
    }
    result[path] = { shape, data };
  }
  return result;
}

/** The counter-based generator's key and counter for a seed and a step. */
export function randomWords(seed: number, step: number): Uint32Array {
  return Uint32Array.of(seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0, step >>> 0, Math.floor(step / 2 ** 32) >>> 0);
}

/** Downloads of a forward pass: output and final states. */
function downloadOutputs(context: RunContext): void {
  context.recording.download("output", context.output.view);
  for (const [path, { final }] of context.states) final.forEach((v, i) => context.recording.download(`final.${path}.${i}`, v.view));
}

/**
 * Runs a model once.
 * @throws RnnError `shape`, `data` or `option` before anything runs, if the inputs do not fit
 */
export async function forward(model: Module, inputs: ModelInputs | Tensor, options: RunOptions): Promise<ModelOutputs> {
  checkRunOptions("forward", options);
  const session = Session.of(model, options.backend);
  const { plan, data } = planFor(model, "input" in inputs ? inputs : { input: inputs }, { ...options, differentiates: false });
  const { context, program } = await session.prepare("forward", plan, downloadOutputs);
  await session.store.sync();
  const { downloads } = await program.run({ ...data, random: randomWords(options.seed ?? 0, 0) });
  return outputsOf(context, await downloads, options.backend);
}

function outputsOf(context: RunContext, downloads: Readonly<Record<string, NumericArray>>, backend: Backend): ModelOutputs {
  return {
    output: { shape: context.output.shape, data: downloads.output as FloatArray },
    state: joinStates(context, downloads, "final", backend, () => true),
  };
}

/**
 * Runs a model forward and backward: the gradients of L = Σ output⊙cotangent (plus the same for final states).
 * @throws RnnError `shape`, `data` or `option` before anything runs, if inputs or cotangents do not fit
 */
export async function gradients(model: Module, inputs: ModelInputs | Tensor, cotangents: Cotangents, options: RunOptions): Promise<ModelGradients> {
  checkRunOptions("gradients", options);
  checkOptionNames("cotangents", cotangents, ["output", "state"]);
  const { backend } = options;
  const session = Session.of(model, backend);
  const { plan, data } = planFor(model, "input" in inputs ? inputs : { input: inputs }, { ...options, differentiates: true });
  const paths = Object.keys(cotangents.state ?? {}).sort();
  const key = `gradients ${cotangents.output ? "output" : ""} ${paths.join()}`;
  const { context, program } = await session.prepare(key, plan, (made) => recordGradients(made, cotangents));
  Object.assign(data, cotangentData(context, cotangents));
  await session.store.sync();
  const { downloads } = await program.run({ ...data, random: randomWords(options.seed ?? 0, 0) });
  const values = await downloads;
  const input = context.input.needsGradient ? { shape: context.input.shape, data: (values["d.input"] as FloatArray | undefined) ?? backend.floats(context.input.shape.reduce((p, n) => p * n, 1)) } : undefined;
  return {
    ...outputsOf(context, values, backend),
    gradients: {
      parameters: session.store.split(values.gradients),
      input,
      state: joinStates(context, values, "d", backend, (path) => context.states.get(path)?.initial !== undefined),
    },
  };
}

function recordGradients(context: RunContext, cotangents: Cotangents): void {
  const { recording, tape } = context;
  // Parameters that have no part in the output keep their place in the flat buffer, which must then be zero.
  recording.clearFirst(context.gradients);
  if (cotangents.output) tape.seed(context.output, recording.buffer("cotangent", context.output.shape, "input"));
  for (const path of Object.keys(cotangents.state ?? {})) {
    context.states.get(path)?.final.forEach((v, i) => tape.seed(v, recording.buffer(`cotangent.${path}.${i}`, v.shape, "input")));
  }
  tape.backward();
  downloadOutputs(context);
  recording.download("gradients", context.gradients);
  if (context.input.gradient) recording.download("d.input", context.input.gradient);
  for (const [path, { initial }] of context.states) {
    initial?.forEach((v, i) => v.gradient && recording.download(`d.${path}.${i}`, v.gradient));
  }
}

function cotangentData(context: RunContext, cotangents: Cotangents): Record<string, NumericArray> {
  const data: Record<string, NumericArray> = {};
  if (cotangents.output) {
    const { data: values } = checkTensor("cotangents", "output", cotangents.output, context.output.shape);
    checkFinite("cotangents", "output", values);
    data.cotangent = values;
  }
  for (const [path, value] of Object.entries(cotangents.state ?? {})) {
    const state = context.states.get(path);
    if (!state) throw new RnnError("option", "cotangents", `this model has no state "${path}"`);
    const { data: values } = checkTensor("cotangents", `state "${path}"`, value, state.shape);
    checkFinite("cotangents", `state "${path}"`, values);
    const size = values.length / state.shape[0];
    for (let i = 0; i < state.shape[0]; i++) data[`cotangent.${path}.${i}`] = values.slice(i * size, (i + 1) * size);
  }
  return data;
}
