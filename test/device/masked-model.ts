/** A model that finds out by itself which steps count, as imported Keras models with masks do. */
import { Module, RNN, type Context, type Variable } from "webgpu-rnn";
import { countedSteps, withMask } from "../../src/formats/keras/steps.ts";

/** Input [batch, steps, 3]; steps of zeros do not count. */
export class Masked extends Module {
  private readonly rnn = new RNN(3, 4, { batchFirst: true, seed: 1 });

  constructor() {
    super();
    this.addChild("rnn", this.rnn);
  }

  forward(context: Context, x: Variable): Variable {
    return this.rnn.forward(withMask(context.child("rnn"), countedSteps(context, x, 0)), x);
  }
}
