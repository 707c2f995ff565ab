/**
 * Reverse-mode differentiation over a recording. Each op records its forward commands at once and leaves a
 * function that records its vector-Jacobian product; `backward` calls these in reverse. The tape is coarse: a whole
 * recurrent sequence is one op.
 */
import { RnnError } from "../errors.ts";
import type { Recording, View } from "../recording/recording.ts";
import type { Shape } from "../tensor/shape.ts";

/** A value on the device, and the place of its gradient once something has been propagated to it. */
export class Variable {
  /** ∂L/∂(this); undefined until an op has written to it. */
  gradient: View | undefined;

  constructor(
    readonly label: string,
    readonly view: View,
    readonly needsGradient: boolean,
    /** Where the gradient shall go (a parameter's place in the flat gradient buffer); else a buffer is made. */
    readonly gradientPlace?: View,
  ) {}

  get shape(): Shape {
    return this.view.shape;
  }
}

interface Entry {
  readonly outputs: readonly Variable[];
  readonly vjp: () => void;
}

export class Tape {
  private readonly entries: Entry[] = [];

  constructor(
    readonly recording: Recording,
    /** Whether `backward` will be called: ops keep what it needs. */
    readonly differentiates: boolean,
    /** How recurrent layers loop over time; by default what suits their size. */
    readonly strategy?: "loop" | "step",
  ) {}

  /** A value that comes from outside: an input or a parameter. */
  leaf(label: string, view: View, options: { needsGradient?: boolean; gradientPlace?: View } = {}): Variable {
    return new Variable(label, view, this.differentiates && (options.needsGradient ?? false), options.gradientPlace);
  }

  /** A result of an op on `inputs`, in a buffer of its own unless `view` says where it lies. */
  result(label: string, shape: Shape, inputs: readonly (Variable | undefined)[], view?: View): Variable {
    const needsGradient = this.differentiates && inputs.some((v) => v?.needsGradient);
    return new Variable(label, view ?? this.recording.buffer(label, shape), needsGradient);
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
