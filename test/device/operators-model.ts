/** A model of general operators. */
import { BatchNorm1d, Conv1d, Module, normal, Parameter, type Context, type Variable } from "webgpu-rnn";
import * as ops from "webgpu-rnn/ops";

/** Input [rows, 5], with one parameter. */
export class Operators extends Module {
  constructor() {
    super();
    this.addParameter("p", new Parameter([5], normal()));
    this.addChild("norm", new BatchNorm1d(5));
    this.addChild("conv", new Conv1d(5, 4, 2, { padding: "causal" }));
    this.initialize(3);
  }

  forward(context: Context, x: Variable): Variable {
    const p = context.parameter("p");
    const quotient = ops.divide(context, ops.gelu(context, x), ops.add(context, ops.exp(context, p), 1));
    const power = ops.power(context, ops.abs(context, quotient), 1.5);
    const chosen = ops.where(context, ops.less(context, x, p), power, ops.log(context, ops.exp(context, p)));
    const normal = this.part("norm").forward(context.child("norm"), ops.flip(context, chosen, 1));
    // The rows are time steps now: [1, 5, rows].
    const sequence = ops.unsqueeze(context, ops.permute(context, ops.cumulativeSum(context, normal, 0), [1, 0]), 0);
    return ops.maxPool1d(context, this.part("conv").forward(context.child("conv"), sequence), 2, { stride: 1 });
  }

  private part(name: string): Module {
    return this.children.get(name)!;
  }
}
