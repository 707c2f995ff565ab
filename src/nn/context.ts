import type { Tape, Variable } from "../ops/tape.ts";
import type { View } from "../recording/recording.ts";
import type { Shape } from "../tensor/shape.ts";

/** What a session provides to the modules whose forward pass it records. */
export interface ContextHost {
  readonly tape: Tape;
  /** Whether dropout is active. */
  readonly training: boolean;
  /** [4] u32: seed (low, high) and step (low, high) of the counter-based generator. */
  readonly random: View;
  /** [B] u32 steps of each row, or undefined if all rows are whole. */
  readonly lengths: View | undefined;
  parameter(path: string): Variable;
  /** The initial state given for `path`, one variable of shape[1..] per index of shape[0]; undefined for zeros. */
  initialState(path: string, shape: Shape): Variable[] | undefined;
  finalState(path: string, shape: Shape, values: Variable[]): void;
}

/** A module's view of the recording in progress: the host's services under the module's own path. */
export class Context {
  private static streams = new WeakMap<ContextHost, number>();

  constructor(private readonly host: ContextHost, readonly path = "") {}

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
    return this.host.lengths;
  }

  /** The context of a child module. */
  child(name: string): Context {
    return new Context(this.host, `${this.path}${name}.`);
  }

  /** A label for a buffer of this module: `<path>.<name>`. */
  label(name: string): string {
    return this.path + name;
  }

  parameter(name: string): Variable {
    return this.host.parameter(this.path + name);
  }

  initialState(name: string, shape: Shape): Variable[] | undefined {
    return this.host.initialState(this.path + name, shape);
  }

  finalState(name: string, shape: Shape, values: Variable[]): void {
    this.host.finalState(this.path + name, shape, values);
  }

  /** A stream number of the random generator that nobody else in this recording has. */
  randomStream(): number {
    const stream = Context.streams.get(this.host) ?? 0;
    Context.streams.set(this.host, stream + 1);
    return stream;
  }
}
