/**
 * Reverse-mode differentiation over a recording. Each op records its forward commands at once and leaves a
 * function that records its vector-Jacobian product; `backward` calls these in reverse. The tape is coarse: a whole
 * recurrent sequence is one op.
 */
import { RnnError } from "../errors.ts";
import type { Recording, View } from "../recording/recording.ts";
import type { Shape } from "../tensor/shape.ts";
import type * as derivatives from "../recurrent/derivatives.ts";
import type { StrategyName } from "../recurrent/strategies/all-strategies.ts";
import type { recurrent } from "../recurrent/sequence.ts";

/** Rows of a table by id: the origin of a variable that an embedding made. */
export interface Gathered {
  /** [V, E] */
  readonly table: Variable;
  /** u32, one per row. */
  readonly ids: View;
}

interface VariableOptions {
  readonly needsGradient: boolean;
  /** The place for the gradient (a parameter's part of the flat gradient buffer); without it, a buffer is made. */
  readonly gradientPlace?: View;
  /**
   * Set if the value is rows of a table. An op may then use the table instead of the rows, and passes the gradient to
   * the table.
   */
  readonly gathered?: Gathered;
}

/** A value on the device, with the place of its gradient once an op has propagated one to it. */
export class Variable {
  readonly needsGradient: boolean;
  readonly gradientPlace?: View;
  readonly gathered?: Gathered;
  private made: View | undefined;

  /**
   * @param make records the commands that compute the value; called when the first op needs it
   * @param place the place of the gradient; variables that are reshapes of one value share the object
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

  /** The same numbers in another shape of the same size. Nothing is copied, and the gradient is shared. */
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

  /**
   * For an op that computes this value along with its own: the buffer to write it to, or undefined if it has been
   * computed.
   */
  unmade(recording: Recording): View | undefined {
    if (this.made) return undefined;
    return (this.made = recording.buffer(this.label, this.shape));
  }
}

/** The derivatives of ops that have them in modules of their own, so that a forward pass alone does not load them. */
export type Derivatives = typeof derivatives;

/** Records an op's vector-Jacobian product. */
type Vjp = (derivatives: Derivatives) => void;

interface Entry {
  readonly outputs: readonly Variable[];
  readonly vjp: Vjp;
}

/** Options of a tape. */
export interface TapeOptions {
  /** Given if `backward` will be called; ops then keep what it needs. */
  readonly derivatives?: Derivatives;
  /** How recurrent layers loop over time; by default what `chooseStrategy` says. */
  readonly strategy?: StrategyName;
  /** True if recurrent layers compute their gates again in the backward pass instead of keeping them. */
  readonly recompute?: boolean;
  /** True if recurrent layers keep weights and gates in half precision. */
  readonly halves?: boolean;
  /** Replaces the op `recurrent` by an equivalent one (see `unrolled`). */
  readonly recurrent?: typeof recurrent;
}

export class Tape {
  private readonly entries: Entry[] = [];

  constructor(
    readonly recording: Recording,
    readonly options: TapeOptions,
  ) {}

  get differentiates(): boolean {
    return this.options.derivatives !== undefined;
  }

  /** A value that no op computes: an input or a parameter. */
  leaf(label: string, view: View, options: { needsGradient?: boolean; gradientPlace?: View } = {}): Variable {
    return new Variable(label, view.shape, () => view, {
      ...options,
      needsGradient: this.differentiates && (options.needsGradient ?? false),
    });
  }

  /** A result of an op on `inputs`: in a new buffer, or in `view`. The same holds for its gradient. */
  result(label: string, shape: Shape, inputs: readonly (Variable | undefined)[], view?: View, gradientPlace?: View): Variable {
    const place = view ?? this.recording.buffer(label, shape);
    return new Variable(label, shape, () => place, { needsGradient: this.anyNeeds(inputs), gradientPlace });
  }

  /** Rows of a table that are gathered only if an op needs them: `make` then records the gather into a new buffer. */
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

  /**
   * Stores the function that records an op's derivative; `backward` calls it only if a gradient has reached one of
   * `outputs`.
   */
  record(outputs: readonly Variable[], vjp: Vjp): void {
    if (outputs.some((v) => v.needsGradient)) this.entries.push({ outputs, vjp });
  }

  /**
   * The place to which an op must write its share of ∂L/∂v. The first share overwrites (`accumulate` 0), later ones
   * add.
   */
  share(v: Variable): { view: View; accumulate: 0 | 1 } {
    if (v.gradient) return { view: v.gradient, accumulate: 1 };
    v.gradient = v.gradientPlace ?? this.recording.buffer(`d.${v.label}`, v.shape);
    return { view: v.gradient, accumulate: 0 };
  }

  /** Sets ∂L/∂v from outside (a loss's own gradient, or a cotangent). */
  seed(v: Variable, gradient: View): void {
    this.recording.checked(v.view);
    if (v.gradient) throw new RnnError("option", v.label, "has a gradient already; combine losses before seeding");
    v.gradient = gradient;
  }

  /** Records the vector-Jacobian products, last op first. Only a tape with derivatives has any. */
  backward(): void {
    for (const { outputs, vjp } of this.entries.splice(0).reverse()) {
      if (outputs.some((v) => v.gradient)) vjp(this.options.derivatives!);
    }
  }
}
