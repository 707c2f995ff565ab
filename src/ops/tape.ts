/**
 * Reverse-mode differentiation over a recording. Each op records its forward commands at once and leaves a
 * function that records its vector-Jacobian product; `backward` calls these in reverse. The tape is coarse: a whole
 * recurrent sequence is one op.
 */
import { RnnError } from "../errors.ts";
import type { Recording, View } from "../recording/recording.ts";
import type { Shape } from "../tensor/shape.ts";
import type { StrategyName } from "../recurrent/strategies/strategy.ts";
import type { recurrent } from "../recurrent/sequence.ts";

/** Rows of a table by id: what a variable is that an embedding made. */
export interface Gathered {
  /** [V, E] */
  readonly table: Variable;
  /** u32, one per row. */
  readonly ids: View;
}

interface VariableOptions {
  readonly needsGradient: boolean;
  /** Where the gradient shall go (a parameter's place in the flat gradient buffer); else a buffer is made. */
  readonly gradientPlace?: View;
  /** Set if an op can do without the rows themselves, as long as it passes the gradient to the table instead. */
  readonly gathered?: Gathered;
}

/** A value on the device, and the place of its gradient once something has been propagated to it. */
export class Variable {
  readonly needsGradient: boolean;
  readonly gradientPlace?: View;
  readonly gathered?: Gathered;
  private made: View | undefined;

  /**
   * @param make records what computes the value; called when the first op asks for it
   * @param place of the gradient; the same object in variables that are one value in different shapes
   */
  constructor(
    readonly label: string,
    readonly shape: Shape,
    private readonly make: () => View,
    options: VariableOptions,
    private readonly place: { view?: View } = {},
  ) {
    this.needsGradient = options.needsGradient;
    this.gradientPlace = options.gradientPlace;
    this.gathered = options.gathered;
  }

  get view(): View {
    return (this.made ??= this.make());
  }

  /** ∂L/∂(this); undefined until an op has written to it. */
  get gradient(): View | undefined {
    const { view } = this.place;
    return view && { ...view, shape: this.shape };
  }
  set gradient(view: View | undefined) {
    this.place.view = view;
  }

  /** The same numbers in another shape of as many: nothing is copied, and the gradient is shared. */
  reshaped(shape: Shape): Variable {
    const { needsGradient, gradientPlace } = this;
    return new Variable(
      this.label,
      shape,
      () => ({ ...this.view, shape }),
      { needsGradient, gradientPlace: gradientPlace && { ...gradientPlace, shape } },
      this.place,
    );
  }

  /** For an op that computes the value itself, along with its own: the buffer to do it in, or undefined if it is there. */
  unmade(recording: Recording): View | undefined {
    if (this.made) return undefined;
    return (this.made = recording.buffer(this.label, this.shape));
  }
}

interface Entry {
  readonly outputs: readonly Variable[];
  readonly vjp: () => void;
}

/** How a tape is to be recorded. */
export interface TapeOptions {
  /** Whether `backward` will be called: ops keep what it needs. */
  readonly differentiates: boolean;
  /** How recurrent layers loop over time; by default what `chooseStrategy` says. */
  readonly strategy?: StrategyName;
  /** Whether recurrent layers compute their gates anew in the backward pass instead of keeping them. */
  readonly recompute?: boolean;
  /** Whether recurrent layers keep weights and gates in half precision. */
  readonly halves?: boolean;
  /** In the place of the op `recurrent`; what computes the same in another way (see `unrolled`). */
  readonly recurrent?: typeof recurrent;
}

export class Tape {
  private readonly entries: Entry[] = [];

  constructor(
    readonly recording: Recording,
    readonly options: TapeOptions,
  ) {}

  get differentiates(): boolean {
    return this.options.differentiates;
  }

  /** A value that comes from outside: an input or a parameter. */
  leaf(label: string, view: View, options: { needsGradient?: boolean; gradientPlace?: View } = {}): Variable {
    return new Variable(label, view.shape, () => view, {
      ...options,
      needsGradient: this.differentiates && (options.needsGradient ?? false),
    });
  }

  /** A result of an op on `inputs`, in a buffer of its own unless `view` says where it lies; so with its gradient. */
  result(label: string, shape: Shape, inputs: readonly (Variable | undefined)[], view?: View, gradientPlace?: View): Variable {
    const place = view ?? this.recording.buffer(label, shape);
    return new Variable(label, shape, () => place, { needsGradient: this.anyNeeds(inputs), gradientPlace });
  }

  /** Rows of a table that are gathered only if an op asks for them: `make` records that into a buffer of its own. */
  gathered(label: string, shape: Shape, gathered: Gathered, make: (rows: View) => void): Variable {
    return new Variable(
      label,
      shape,
      () => {
        const rows = this.recording.buffer(label, shape);
        make(rows);
        return rows;
      },
      { needsGradient: this.anyNeeds([gathered.table]), gathered },
    );
  }

  private anyNeeds(inputs: readonly (Variable | undefined)[]): boolean {
    return this.differentiates && inputs.some((v) => v?.needsGradient);
  }

  /** Leaves the derivative of an op; called only if a gradient has reached one of `outputs`. */
  record(outputs: readonly Variable[], vjp: () => void): void {
    if (outputs.some((v) => v.needsGradient)) this.entries.push({ outputs, vjp });
  }

  /**
   * Where an op shall write its share of ∂L/∂v. The first share overwrites (`accumulate` 0), later ones add.
   */
  share(v: Variable): { view: View; accumulate: 0 | 1 } {
    if (v.gradient) return { view: v.gradient, accumulate: 1 };
    v.gradient = v.gradientPlace ?? this.recording.buffer(`d.${v.label}`, v.shape);
    return { view: v.gradient, accumulate: 0 };
  }

  /** Gives ∂L/∂v from outside (a loss's own gradient, or a cotangent). */
  seed(v: Variable, gradient: View): void {
    this.recording.checked(v.view);
    if (v.gradient) throw new RnnError("option", v.label, "has a gradient already; combine losses before seeding");
    v.gradient = gradient;
  }

  /** Records the vector-Jacobian products, last op first. */
  backward(): void {
    for (const { outputs, vjp } of this.entries.splice(0).reverse()) {
      if (outputs.some((v) => v.gradient)) vjp();
    }
  }
}
