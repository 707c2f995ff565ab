import { RnnError, show } from "../errors.ts";
import { Variable, type Tape } from "../autodiff/tape.ts";
import { isA } from "../options.ts";
import type { View } from "../recording/recording.ts";
import type { Shape } from "../tensor/shape.ts";
import { Parameter } from "./parameter.ts";

/** The services of a session for the modules whose forward pass it records. */
export interface ContextHost {
  readonly tape: Tape;
  /** True if dropout is active. */
  readonly training: boolean;
  /** [4] u32: seed (low, high) and step (low, high) of the counter-based generator. */
  readonly random: View;
  /** u32 steps of each row, as `hasStep` of lanes.ts reads them, or undefined if all rows are whole. */
  readonly lengths: View | undefined;
  /** Whether rows may lack any steps, and not only those behind their end. Outputs at these repeat the last one. */
  readonly hasGaps: boolean;
  parameter(path: string): Variable;
  /** The further input for `path`, if there is one. */
  further(path: string): Variable | undefined;
  /** Returns a further value to the host, besides the output. */
  emit(path: string, value: Variable): void;
  /** [1]: the value of `schedule` for the training step. */
  scheduled(label: string, schedule: (step: number) => number): View;
  /** The initial state for `path`, one variable of shape[1..] per index of shape[0]; undefined for zeros. */
  initialState(path: string, shape: Shape): Variable[] | undefined;
  finalState(path: string, shape: Shape, values: Variable[]): void;
  /** Hears of the initial state that a module gives those inside it under this path. */
  startsFrom(path: string, values: readonly Variable[]): void;
}

/** What a module may override for the modules inside it; the rest stays as it is. */
export interface Scope {
  /** The steps of each row (u32). False: all rows are complete, even if those of the model's input are not. */
  readonly lengths?: false | View;
  /** Whether these rows may lack any steps; see `hasStep` of lanes.ts. */
  readonly hasGaps?: boolean;
  /** Returns what takes the place of the module's parameters, in their order on devices. */
  readonly parameter?: (name: string) => Variable;
  /**
   * Returns the initial states by name, one variable [batch, units] for each layer and direction; undefined for zeros.
   */
  readonly initialState?: (name: string, shape: Shape) => Variable[] | undefined;
  /** Receives the final states. */
  readonly finalState?: (name: string, shape: Shape, values: Variable[]) => void;
}

const streams = new WeakMap<ContextHost, number>();

/** A module's view of the recording in progress: the host's services under the module's own path. */
export class Context {
  constructor(
    private readonly host: ContextHost,
    readonly path = "",
    private readonly scope: Scope = {},
  ) {}

  get tape(): Tape {
    return this.host.tape;
  }
  get training(): boolean {
    return this.host.training;
  }
  get random(): View {
    return this.host.random;
  }
  get lengths(): View | undefined {
    const { lengths } = this.scope;
    return lengths === false ? undefined : (lengths ?? this.host.lengths);
  }

  get hasGaps(): boolean {
    const { lengths, hasGaps = false } = this.scope;
    return lengths === undefined ? this.host.hasGaps : lengths !== false && hasGaps;
  }

  /** This context with other lengths or states for the modules inside. */
  within(scope: Scope): Context {
    return new Context(this.host, this.path, { ...this.scope, ...scope });
  }

  /** The context of a child module. */
  child(name: string): Context {
    return new Context(this.host, `${this.path}${name}.`, this.scope);
  }

  /** A label for a buffer of this module: `<path>.<name>`. */
  label(name: string): string {
    return this.path + name;
  }

  parameter(name: string): Variable {
    const { parameter } = this.scope;
    return parameter ? parameter(name) : this.host.parameter(this.path + name);
  }

  /** A further input that the module has named in `furtherInputs`; undefined if the caller did not pass it. */
  further(name: string): Variable | undefined {
    return this.host.further(this.path + name);
  }

  /** Returns a further value to the caller of `forward`, by this module's path and `name`. */
  emit(name: string, value: Variable): void {
    this.host.emit(this.path + name, value);
  }

  /** A number that changes from one training step to the next, as a [1] view. */
  scheduled(name: string, schedule: (step: number) => number): View {
    return this.host.scheduled(this.path + name, schedule);
  }

  initialState(name: string, shape: Shape): Variable[] | undefined {
    const { initialState } = this.scope;
    if (!initialState) return this.host.initialState(this.path + name, shape);
    const values = initialState(name, shape);
    if (values) this.host.startsFrom(this.path + name, values);
    return values;
  }

  finalState(name: string, shape: Shape, values: Variable[]): void {
    const { finalState } = this.scope;
    if (finalState) finalState(name, shape, values);
    else this.host.finalState(this.path + name, shape, values);
  }

  /** A stream of the random generator that nothing else in this recording uses. */
  randomStream(): number {
    const stream = streams.get(this.host) ?? 0;
    streams.set(this.host, stream + 1);
    return stream;
  }
}

/** How what came instead of a Variable becomes one. */
export function makesVariable(value: unknown): string {
  return isA(value, Parameter)
    ? "in forward, context.parameter(name) gives the Variable of a parameter that addParameter has named"
    : "ops.constant makes one of a tensor";
}

/**
 * Checks the arguments of a module's `forward`. Users of other libraries often call it with a tensor.
 * @throws RnnError `option`
 */
export function checkCall(where: string, context: unknown, ...variables: unknown[]): void {
  if (!isA(context, Context))
    throw new RnnError(
      "option",
      where,
      `forward must get a Context first, as modules inside a model do, got ${show(context)}; to run a model, call forward(model, input, { backend })`,
    );
  for (const value of variables)
    if (!isA(value, Variable))
      throw new RnnError("option", where, `forward must get a Variable, got ${show(value)}; ${makesVariable(value)}`);
}

/** The result of a caller's function, if it is a variable. @throws RnnError `option` if it is not */
export function givenVariable(where: string, what: string, value: unknown): Variable {
  if (!isA(value, Variable))
    throw new RnnError(
      "option",
      where,
      `${what} must give a Variable, got ${show(value)}${isA(value, Parameter) ? `; ${makesVariable(value)}` : ""}`,
    );
  return value;
}
