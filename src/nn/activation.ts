/** Activation functions as modules without parameters; any shape in, the same shape out. */
import { activation, softmax, type ActivationName } from "../autodiff/activation.ts";
import type { Variable } from "../autodiff/tape.ts";
import { checkCall, type Context } from "./context.ts";
import { Module } from "./module.ts";

abstract class ElementWise extends Module {
  protected constructor(private readonly name: ActivationName) {
    super();
  }

  override describe(): readonly unknown[] {
    return [];
  }

  forward(context: Context, x: Variable): Variable {
    checkCall(this.name, context, x);
    return activation(context.tape, context.label(this.name), x, this.name);
  }
}

/** σ(x) = 1 / (1 + e^-x), derivative σ(1 - σ). */
export class Sigmoid extends ElementWise {
  constructor() {
    super("sigmoid");
  }
}

/** tanh(x), derivative 1 - tanh². */
export class Tanh extends ElementWise {
  constructor() {
    super("tanh");
  }
}

/** max(0, x), derivative [x > 0]. */
export class ReLU extends ElementWise {
  constructor() {
    super("relu");
  }
}

/** y_i = e^{x_i} / Σ_j e^{x_j} over the last dimension; ∂y_i/∂x_j = y_i ([i = j] - y_j). */
export class Softmax extends Module {
  override describe(): readonly unknown[] {
    return [];
  }

  forward(context: Context, x: Variable): Variable {
    checkCall("Softmax", context, x);
    return softmax(context.tape, context.label("softmax"), x);
  }
}

/** ln softmax(x) over the last dimension. */
export class LogSoftmax extends Module {
  override describe(): readonly unknown[] {
    return [];
  }

  forward(context: Context, x: Variable): Variable {
    checkCall("LogSoftmax", context, x);
    return softmax(context.tape, context.label("logSoftmax"), x, { log: true });
  }
}
