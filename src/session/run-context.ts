import type { Backend } from "../backend/backend.ts";
import { clip, RnnError } from "../errors.ts";
import { embeddingGather } from "../kernels/embedding.ts";
import { Avoided, nothingAvoided } from "../kernels/self-test.ts";
import type { ElementType } from "../kernels/kernel.ts";
import { Context, givenVariable, type ContextHost } from "../nn/context.ts";
import type { Module } from "../nn/module.ts";
import { stepWords } from "../recurrent/kernels/lanes.ts";
import { derivatives, profiles } from "../recurrent/parts.ts";
import type { StrategyName } from "../recurrent/strategies/all-strategies.ts";
import { Tape, type TapeOptions, type Variable } from "../autodiff/tape.ts";
import { Recording, subview, type View } from "../recording/recording.ts";
import { sameShape, sizeOf, type Shape } from "../tensor/shape.ts";
import type { NumericArray } from "../tensor/tensor.ts";
import type { ParameterStore } from "./parameter-store.ts";

/**
 * Where initial states come from:
 * - "zero": zeros
 * - "given": the states named in `shapes` are inputs (`state.<path>`), the others zeros
 * - "carried": external buffers (`carried.<path>`), to which `keepStates` copies the final states. With `reorders`, a
 *   row begins with the state of any row: row i of each layer with that of the row `rows.<path>` [layers · rows] names,
 *   counted through all layers
 * - "begun": as "zero", and the final states are kept as with "carried"
 */
export type StateSource =
  | { kind: "zero" }
  | { kind: "given"; shapes: Readonly<Record<string, Shape>> }
  | { kind: "carried"; reorders?: boolean }
  | { kind: "begun" };

export interface RecordingPlan {
  readonly inputShape: Shape;
  /** Shapes of the further inputs, by path. */
  readonly further?: Readonly<Record<string, Shape>>;
  readonly states: StateSource;
  /** The steps that rows have: all, those up to each row's length, or those that a mask names. */
  readonly steps: "all" | "lengths" | "mask";
  /** True if dropout is active. */
  readonly training: boolean;
  readonly differentiates: boolean;
  readonly inputGradient?: boolean;
  /** Paths of the parameters that get a gradient (default: those that are not frozen). */
  readonly learnt?: readonly string[];
  /** How recurrent layers loop over time; by default what `chooseStrategy` says. */
  readonly strategy?: StrategyName;
  readonly recompute?: boolean;
  readonly storage?: "float32" | "float16";
  readonly recurrent?: TapeOptions["recurrent"];
  /** True if the input is an external buffer, `input`, which the recording itself may write (generation). */
  readonly inputStays?: boolean;
  /** True if the further inputs are external buffers, `further.<path>`, which stay as they are as long as the recording lives. */
  readonly furtherStays?: boolean;
}

export interface RecordedState {
  readonly shape: Shape;
  readonly initial?: readonly Variable[];
  readonly final: readonly Variable[];
}

/** Records a model's forward pass. Its creator continues with the tape. */
export class RunContext implements ContextHost {
  readonly recording: Recording;
  readonly tape: Tape;
  readonly training: boolean;
  readonly random: View;
  readonly lengths: View | undefined;
  readonly hasGaps: boolean;
  /** All parameters in one buffer. */
  readonly parameters: View;
  readonly input: Variable;
  readonly output: Variable;
  readonly states = new Map<string, RecordedState>();
  /** Initial states that modules gave those inside them, by path. */
  readonly starts = new Map<string, readonly Variable[]>();
  /** Further inputs and values besides the output, by path. */
  readonly furtherInputs = new Map<string, Variable>();
  readonly emitted = new Map<string, Variable>();
  /** Buffers that outlive the recording, by label. Whoever prepares the recording supplies their memory. */
  readonly externals = new Map<string, View>();
  private readonly variables = new Map<string, Variable>();
  private readonly initials = new Map<string, Variable[]>();
  private readonly schedules = new Map<string, (step: number) => number>();

  /** @param device properties of the backend from which ops choose kernels */
  constructor(
    model: Module,
    private readonly store: ParameterStore,
    private readonly plan: RecordingPlan,
    {
      profile,
      mostElements,
      mostThreads,
      kind,
      isGpu,
      stepTimes,
      selfTest,
    }: Pick<Backend, "profile" | "mostElements" | "mostThreads" | "kind" | "isGpu" | "stepTimes" | "selfTest">,
  ) {
    const avoided = selfTest ? new Avoided(selfTest.failures) : nothingAvoided;
    // A profile that has come since the recording was asked for counts from the next one on.
    const code = profiles.now as typeof profiles.now | undefined;
    const measured = profile && code && new code.Measured(profile);
    const recording = (this.recording = new Recording({ kind, isGpu, mostThreads, mostElements, measured, stepTimes, avoided }));
    this.tape = new Tape(recording, {
      ...plan,
      halves: plan.storage === "float16",
      derivatives: plan.differentiates ? derivatives.now : undefined,
    });
    this.training = plan.training;
    this.parameters = this.external("parameters", [store.length]);
    // A training step changes the parameters after each run, so derived buffers would never be valid. It packs weights
    // together with other copies instead.
    if (!plan.differentiates) recording.settle(this.parameters);
    this.random = recording.buffer("random", [4], "input", "u32");
    const ids = model.idCount !== undefined;
    const type = ids ? "u32" : "f32";
    const input = plan.inputStays
      ? this.external("input", plan.inputShape, type)
      : recording.buffer("input", plan.inputShape, "input", type);
    this.input = this.tape.leaf("input", input, { needsGradient: (plan.inputGradient ?? false) && !ids });
    for (const [path, shape] of Object.entries(plan.further ?? {})) {
      const numbers = model.furtherInputs[path] === undefined;
      const element = numbers ? "f32" : "u32";
      const label = `further.${path}`;
      const view = plan.furtherStays ? this.external(label, shape, element) : recording.buffer(label, shape, "input", element);
      if (plan.furtherStays) recording.settle(view);
      this.furtherInputs.set(path, this.tape.leaf(path, view, { needsGradient: (plan.inputGradient ?? false) && numbers }));
    }
    this.hasGaps = plan.steps === "mask";
    const [B, T] = [batchOf(model, plan.inputShape), stepsOf(model, plan.inputShape)];
    const rows = this.hasGaps ? stepWords(T, B) : B;
    this.lengths = plan.steps === "all" ? undefined : recording.buffer("lengths", [rows], "input", "u32");
    this.output = givenVariable("model", "forward", model.forward(new Context(this), this.input));
    this.checkStates();
  }

  /** Gradients of the trainable parameters. Only a recording that differentiates has them. */
  get gradients(): View {
    return this.externals.get("gradients") ?? this.external("gradients", [this.store.trainedLength]);
  }

  /** A buffer that outlives the recording. */
  external(label: string, shape: Shape, type: ElementType = "f32"): View {
    const view = this.recording.buffer(label, shape, "external", type);
    this.externals.set(label, view);
    return view;
  }

  /**
   * Records copies of the final states for the next run. Must come last: copies between dispatches would end the pass.
   */
  keepStates(): void {
    for (const [path, { final, shape }] of this.states) {
      const carried = this.externals.get(carriedLabel(path));
      if (carried) final.forEach((v, i) => this.recording.copy(v.view, sliceOf(carried, shape, i)));
    }
  }

  /** Whether states begin as the model gives them, and not with what an earlier run has carried. */
  get begins(): boolean {
    return this.plan.states.kind !== "carried";
  }

  /** Whether the model gives layers other first states than zeros. */
  get givesStates(): boolean {
    return this.firstStates.size > 0;
  }

  /** The states that the model gives its layers first, by path. */
  get firstStates(): ReadonlyMap<string, { shape: Shape; values: readonly Variable[] }> {
    const known = [...this.starts].filter(([path]) => this.states.has(path));
    return new Map(known.map(([path, values]) => [path, { shape: this.states.get(path)!.shape, values }]));
  }

  further(path: string): Variable | undefined {
    return this.furtherInputs.get(path);
  }

  emit(path: string, value: Variable): void {
    this.emitted.set(path, value);
  }

  scheduled(label: string, schedule: (step: number) => number): View {
    const view = this.recording.buffer(label, [1], "input");
    this.schedules.set(view.buffer.label, schedule);
    return view;
  }

  /** Inputs that the host writes before each step, besides those of the caller. */
  stepInputs(seed: number, step: number): Record<string, NumericArray> {
    const inputs: Record<string, NumericArray> = { random: randomWords(seed, step) };
    for (const [label, schedule] of this.schedules) inputs[label] = Float64Array.of(schedule(step));
    return inputs;
  }

  parameter(path: string): Variable {
    let variable = this.variables.get(path);
    if (!variable) {
      const place = this.store.places.get(path);
      if (!place)
        throw new RnnError(
          "option",
          path,
          "is not a parameter of this model; addParameter makes one, and addChild those of a module inside",
        );
      const { learnt } = this.plan;
      const trainable = learnt ? learnt.includes(path) : place.parameter.trainable;
      variable = this.tape.leaf(path, this.store.viewOf(path, this.parameters), {
        needsGradient: trainable,
        gradientPlace: trainable && this.plan.differentiates ? this.store.viewOf(path, this.gradients) : undefined,
      });
      this.variables.set(path, variable);
    }
    return variable;
  }

  /** Whether a gradient has reached this parameter. */
  hasGradient(path: string): boolean {
    return this.variables.get(path)?.gradient !== undefined;
  }

  initialState(given: string, shape: Shape): Variable[] | undefined {
    const { states } = this.plan;
    const path = this.statePath(given);
    if (states.kind === "zero" || states.kind === "begun") return undefined;
    let whole: View;
    if (states.kind === "carried") {
      whole = this.external(carriedLabel(path), shape);
      if (states.reorders) whole = this.rowsOf(path, whole, shape);
    } else {
      const found = states.shapes[path];
      if (!found) return undefined;
      if (!sameShape(found, shape))
        throw new RnnError("shape", "state", `"${path}" must be [${shape.join(", ")}], got [${found.join(", ")}]`);
      whole = this.recording.buffer(`state.${path}`, shape, "input");
    }
    const needsGradient = states.kind === "given";
    const initial = Array.from({ length: shape[0] }, (_, i) => this.tape.leaf(`${path}.${i}`, sliceOf(whole, shape, i), { needsGradient }));
    this.initials.set(path, initial);
    return initial;
  }

  finalState(given: string, shape: Shape, values: Variable[]): void {
    const path = this.statePath(given);
    if (this.plan.states.kind === "begun") this.external(carriedLabel(path), shape);
    this.states.set(path, { shape, initial: this.initials.get(path), final: values });
  }

  startsFrom(path: string, values: readonly Variable[]): void {
    this.starts.set(this.statePath(path), values);
  }

  /** Each call of a module has states of its own: those of its second call, which begins when the first's are final, end in ".2". */
  private statePath(path: string): string {
    let own = path;
    for (let call = 2; this.states.has(own); call++) own = `${path}.${call}`;
    return own;
  }

  /** Rows of states, those that the input `rows.<path>` names. @param shape [layers, rows, ...] of the result */
  rowsOf(path: string, from: View, shape: Shape): View {
    const columns = sizeOf(shape.slice(2));
    const rows = sizeOf(shape) / columns;
    const ids = this.recording.buffer(`rows.${path}`, [rows], "input", "u32");
    const y = this.recording.buffer(`${path}.rows`, shape);
    this.recording.dispatch(embeddingGather, { weight: from, ids, y }, { rows, columns, firstId: 0 });
    return y;
  }

  private checkStates(): void {
    const { states } = this.plan;
    if (states.kind !== "given") return;
    for (const path of Object.keys(states.shapes)) {
      if (this.initials.has(path)) continue;
      const known = [...this.states.keys()].map((k) => `"${k}"`).join(", ") || "none";
      throw new RnnError("option", "state", `this model has no state "${clip(path)}"; its states are ${known}`);
    }
  }
}

/** The label of the buffer that carries a state from run to run. */
export const carriedLabel = (path: string): string => `carried.${path}`;

/** Index `i` along the first dimension. */
export function sliceOf(whole: View, shape: Shape, i: number): View {
  const rest = shape.slice(1);
  return subview(whole, i * sizeOf(rest), rest);
}

/** Rows of the batch in an input of this shape. */
export function batchOf(model: Module, inputShape: Shape): number {
  return inputShape[model.batchFirst ? 0 : 1];
}

/** Steps of an input of this shape. */
export function stepsOf(model: Module, inputShape: Shape): number {
  return inputShape[model.batchFirst ? 1 : 0];
}

/** The counter-based generator's key and counter for a seed and a step. */
export function randomWords(seed: number, step: number): Uint32Array {
  return Uint32Array.of(seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0, step >>> 0, Math.floor(step / 2 ** 32) >>> 0);
}
