/** A model of general operators. */
import { Module, normal, Parameter, type Context, type Variable } from "webgpu-rnn";
import * as ops from "webgpu-rnn/ops";

/** Input [rows, 5], with one parameter. */
export class Operators extends Module {
  constructor() {
    super();
    this.addParameter("p", new Parameter([5], normal()));
    this.initialize(3);
  }

  forward(context: Context, x: Variable): Variable {
    const p = context.parameter("p");
    const quotient = ops.divide(context, ops.gelu(context, x), ops.add(context, ops.exp(context, p), 1));
    return ops.where(
      context,
      ops.less(context, x, p),
      ops.power(context, ops.abs(context, quotient), 1.5),
      ops.log(context, ops.exp(context, p)),
    );
  }
}
