import { Dependants, disposeSymbol } from "../disposable.ts";
import { checkBoolean, checkInteger, listed, RnnError, show } from "../errors.ts";
import { isA, takeEntries, takeOptions } from "../options.ts";
import type { Variable } from "../autodiff/tape.ts";
import type { Part } from "../part.ts";
import type { TensorLike } from "../tensor/take.ts";
import type { FloatArray, Tensor } from "../tensor/tensor.ts";
import type { Context } from "./context.ts";
import { checkParameterValue, Parameter } from "./parameter.ts";
import { matcherOf } from "./path-pattern.ts";
import { inTurn } from "./turns.ts";

/** Arrays by PyTorch name, in PyTorch's shapes and orders. */
export type StateDict = Record<string, Tensor>;

/** The names that `loadStateDict` could not match. */
export interface LoadResult {
  /** Names of the model that the state dictionary lacks. */
  missing: string[];
  /** Names of the state dictionary that the model lacks. */
  unexpected: string[];
}

/** A module that needs whole sequences, by its path in the model that was asked, "" for this itself, and the reason. */
export interface WholeSequences {
  readonly path: string;
  readonly reason: string;
}

/** A random seed for callers that give none: an integer of 32 bits. */
export function anySeed(): number {
  return Math.floor(Math.random() * 2 ** 32);
}

/** An app's module may define `batchFirst` itself. */
const orderOf = (module: Module): boolean | undefined =>
  module.saysBatchFirst ?? (module.hasWindows ? undefined : module.batchFirst || undefined);

/** @throws RnnError `option` unless the name can be part of a path */
function checkName(where: string, name: unknown): void {
  if (typeof name !== "string" || name === "" || name.includes(".") || name.length > 200)
    throw new RnnError("option", where, `names of parts must be words without dots, got ${show(name)}`);
}

/**
 * A network or a part of one: named parameters, named children, and a function that records its forward pass.
 * Values live on the host until a backend needs them; training moves them to the device, and `stateDict` fetches
 * them back.
 */
export abstract class Module {
  private readonly own = new Map<string, Parameter>();
  private readonly childModules = new Map<string, Module>();
  /** Modules that contain it and have not been disposed of. */
  private wholes = 0;
  private disposed = false;
  /** Disposed of with it: copies on devices, trainers. @internal */
  readonly dependants = new Dependants();

  /** Number of ids if the input is ids (an Embedding comes first), else undefined. */
  get idCount(): number | undefined {
    return undefined;
  }

  /** How many numbers a row of the input has in one step; undefined if it is ids, or any number will do. */
  get inputFeatures(): number | undefined {
    return undefined;
  }

  /**
   * Further inputs by path, with the number of ids, or undefined for numbers. By default those of the modules inside.
   */
  get furtherInputs(): Readonly<Record<string, number | undefined>> {
    return Object.fromEntries(
      [...this.childModules].flatMap(([child, module]) =>
        Object.entries(module.furtherInputs).map(([name, ids]) => [`${child}.${name}`, ids]),
      ),
    );
  }

  /**
   * The arguments with which `new` makes this module again, all but its parameters' values: what JSON can say, and other
   * modules. `saveModel` writes them, `loadModel` uses them. Undefined (the default) if a file cannot describe the module.
   */
  describe(): readonly unknown[] | undefined {
    return undefined;
  }

  /** Code that the forward pass needs and that is loaded only where it is needed. @internal */
  get furtherCode(): readonly Part<unknown>[] {
    return [...this.childModules.values()].flatMap((child) => child.furtherCode);
  }

  /** True if the batch comes first in inputs and outputs; taken from the recurrent layers inside. */
  get batchFirst(): boolean {
    return this.saysBatchFirst ?? this.hasWindows;
  }

  /** The answer of the first module inside that has time steps and rows; undefined if there is none. */
  get saysBatchFirst(): boolean | undefined {
    return [...this.childModules.values()].map(orderOf).find((order) => order !== undefined);
  }

  /** True if a layer inside reads from the last time step to the first, and so needs whole sequences. */
  get readsBackwards(): boolean {
    return [...this.childModules.values()].some((child) => child.readsBackwards);
  }

  /** True if a layer inside treats the first steps of a call each in another way, and so needs whole sequences. */
  get countsSteps(): boolean {
    return [...this.childModules.values()].some((child) => child.countsSteps);
  }

  /** The first module inside that cannot go on from step to step, and why; undefined if there is none. */
  get needsWholeSequences(): WholeSequences | undefined {
    for (const [name, child] of this.childModules) {
      const found = child.needsWholeSequences;
      if (found) return { path: found.path === "" ? name : `${name}.${found.path}`, reason: found.reason };
    }
    return undefined;
  }

  /** True if convolutions or pooling read its input, which have the batch first. It counts where no layer says the order. */
  get hasWindows(): boolean {
    return false;
  }

  /**
   * Records the forward pass.
   * @throws RnnError `shape` if the input does not fit
   */
  abstract forward(context: Context, input: Variable): Variable;

  /** All parameters by dotted path, in a fixed order. */
  namedParameters(prefix = ""): Map<string, Parameter> {
    if (this.disposed) throw disposedError(this, prefix);
    if (typeof prefix !== "string") throw new RnnError("option", "namedParameters", `prefix must be a text, got ${show(prefix)}`);
    const all = new Map([...this.own].map(([name, p]) => [prefix + name, p]));
    for (const [name, child] of this.childModules) {
      for (const [path, p] of child.namedParameters(`${prefix}${name}.`)) all.set(path, p);
    }
    return all;
  }

  /** Number of trainable elements. */
  get parameterCount(): number {
    return [...this.namedParameters().values()].reduce((sum, p) => sum + (p.isStatistic ? 0 : p.size), 0);
  }

  /**
   * Freezes parameters: from the next training step on, they get no gradient, no update and no decay, and do not count
   * in the norm that is clipped. This holds until `unfreeze`. Running statistics continue.
   * @param pattern a path ("embedding.weight"), the start of one ("encoder" means all of encoder.…), each possibly with
   * * for any letters, or a RegExp. Default: all parameters
   * @returns the paths of the frozen parameters
   * @throws RnnError `option` if it names no parameter
   */
  freeze(pattern?: string | RegExp): string[] {
    return this.setTrainable("freeze", pattern, false);
  }

  /** Lets parameters learn again. The optimiser's state for them is as before they were frozen. @see freeze */
  unfreeze(pattern?: string | RegExp): string[] {
    return this.setTrainable("unfreeze", pattern, true);
  }

  private setTrainable(where: string, pattern: string | RegExp | undefined, trainable: boolean): string[] {
    this.checkUsable();
    const matches = matcherOf(where, pattern);
    const learnable = [...this.namedParameters()].filter(([, { isStatistic }]) => !isStatistic);
    const named = learnable.filter(([path]) => matches(path));
    if (named.length === 0 && pattern !== undefined)
      throw new RnnError(
        "option",
        where,
        `${show(String(pattern))} names no parameter; there are ${listed(learnable.map(([path]) => path))}`,
      );
    for (const [, parameter] of named) parameter.trainable = trainable;
    return named.map(([path]) => path);
  }

  /**
   * The parameters' values, read from the device if training has changed them there. All are from one moment; during
   * training, from between two steps.
   */
  async stateDict(): Promise<Record<string, Tensor<FloatArray>>> {
    const { reading } = await inTurn([this, ...this.namedParameters().values()], () => ({ reading: this.readParameters() }));
    return reading;
  }

  /** The parameters' values at the moment of the call; only in a turn of theirs. @internal */
  async readParameters(): Promise<Record<string, Tensor<FloatArray>>> {
    const named = [...this.namedParameters()];
    const values = await Parameter.readAll(named.map(([, parameter]) => parameter));
    return Object.fromEntries(named.map(([path, { shape }], i) => [path, { shape, data: values[i].slice() }]));
  }

  /**
   * Sets the parameters to values by name. Nothing changes unless all fit. With `partial: true`, names may be missing, and
   * their parameters stay as they are; unknown names are ignored. Values for known names must fit.
   * @returns the model's names that the dictionary lacks, and the dictionary's that the model lacks; none unless partial
   * @throws RnnError `format` if a name is missing or unknown or a shape differs, or with `partial: true` if no name is
   * known; `data` if a value is not finite
   */
  loadStateDict(given: Readonly<Record<string, TensorLike>>, options: { partial?: boolean } = {}): LoadResult {
    const dict = new Map(takeEntries("loadStateDict", "the state dictionary", "tensors by name", given, "format"));
    const partial = checkBoolean("loadStateDict", "partial", takeOptions("loadStateDict", options, ["partial"]).partial ?? false);
    const parameters = this.namedParameters();
    const missing = [...parameters.keys()].filter((name) => !dict.has(name));
    // PyTorch's batch normalization has a count of its batches in files; nothing reads it.
    const unexpected = [...dict.keys()].filter((name) => !parameters.has(name.replace(/num_batches_tracked$/, "running_mean")));
    const fits = partial ? parameters.size === 0 || missing.length < parameters.size : missing.length === 0 && unexpected.length === 0;
    if (!fits) {
      const lacks = missing.length > 0 ? `lacks ${listed(missing)}` : "";
      const extra = unexpected.length > 0 ? `has unknown ${listed(unexpected)}` : "";
      throw new RnnError("format", "loadStateDict", `the state dictionary ${[lacks, extra].filter(Boolean).join(" and ")}`);
    }
    const values = [...parameters]
      .filter(([name]) => dict.has(name))
      .map(([name, parameter]) => [parameter, checkParameterValue(name, parameter, dict.get(name))] as const);
    for (const [parameter, value] of values) parameter.set(value);
    return { missing, unexpected };
  }

  /** Draws all parameters anew from `seed`, an integer of at least 0. */
  initialize(seed: number): void {
    checkInteger(this.constructor.name, "seed", seed, 0);
    [...this.namedParameters().values()].forEach((p, stream) => p.draw(seed, stream));
  }

  /**
   * Frees the model's memory on devices at once, and that of its trainers. Without this call, it is freed some time
   * after nobody holds the model any more. Its parts are disposed of too, except those that another model contains,
   * which keep their values. Calls in progress and later calls are rejected with an RnnError `option`.
   */
  dispose(): void {
    if (this.disposed) return;
    for (const module of this.end([])) module.dependants.dispose();
  }

  [disposeSymbol](): void {
    this.dispose();
  }

  /** Marks it and the parts that no other model contains as disposed of, and adds them to `ended`. */
  private end(ended: Module[]): Module[] {
    this.disposed = true;
    ended.push(this);
    for (const parameter of this.own.values()) parameter.owners--;
    for (const child of this.childModules.values()) if (--child.wholes <= 0 && !child.disposed) child.end(ended);
    return ended;
  }

  /** @throws RnnError `option` if it or a part of it has been disposed of @internal */
  checkUsable(path = ""): void {
    if (this.disposed) throw disposedError(this, path);
    for (const [name, child] of this.childModules) child.checkUsable(`${path}${name}.`);
  }

  /** @throws RnnError `option` if it is no parameter, or the name is invalid */
  protected addParameter(name: string, parameter: Parameter): void {
    const where = this.constructor.name;
    checkName(where, name);
    if (!isA(parameter, Parameter)) throw new RnnError("option", where, `"${name}" must be a Parameter, got ${show(parameter)}`);
    this.own.set(name, parameter);
    parameter.owners++;
  }

  /** @param where the caller's name for messages */
  protected addChild(name: string, child: Module, where = this.constructor.name): void {
    checkName(where, name);
    if (!isA(child, Module)) throw new RnnError("option", where, `"${name}" must be a module, got ${show(child)}`);
    const known = new Set(this.namedParameters().values());
    if ([...child.namedParameters().values()].some((p) => known.has(p))) {
      throw new RnnError("option", where, `"${name}" is in this model already; use another module, or compose() to call one twice`);
    }
    const [before, order] = [this.saysBatchFirst, orderOf(child)];
    if (before !== undefined && order !== undefined && before !== order) {
      throw new RnnError(
        "option",
        where,
        `"${name}" has batchFirst: ${order}, but the layers before it have ${before}; in one model all must agree`,
      );
    }
    this.childModules.set(name, child);
    child.wholes++;
  }

  protected get children(): ReadonlyMap<string, Module> {
    return this.childModules;
  }
}

function disposedError(module: Module, path: string): RnnError {
  return new RnnError(
    "option",
    module.constructor.name,
    `${path === "" ? "" : `the part "${path.slice(0, -1)}" of this model `}has been disposed of; make a new one`,
  );
}
