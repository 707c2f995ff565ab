/** A layer whose first states are learnt: parameters `h` and `c` [layers, hiddenSize]. */
import { LSTM, Module, Parameter, type Context, type Variable } from "webgpu-rnn";
import * as ops from "webgpu-rnn/ops";
import { numbers, sizeOf } from "./support.ts";

export class LearntStates extends Module {
  private readonly rnn: LSTM;

  constructor(inputSize: number, hiddenSize: number, { batchFirst = false, numLayers = 2 } = {}) {
    super();
    this.rnn = new LSTM(inputSize, hiddenSize, { numLayers, batchFirst, seed: 3 });
    this.addChild("rnn", this.rnn);
    for (const [i, name] of ["h", "c"].entries())
      this.addParameter(name, new Parameter([numLayers, hiddenSize], (shape) => numbers(sizeOf(shape), 8 + i)));
    this.initialize(1);
  }

  override forward(context: Context, x: Variable): Variable {
    const inside = context.child("rnn");
    const first = (name: string, [layers, ...row]: readonly number[]): Variable[] => {
      const zeros = ops.constant(context, { shape: row, data: new Float32Array(sizeOf(row)) });
      const all = context.parameter(name);
      return Array.from({ length: layers }, (_, layer) => ops.add(context, ops.slice(context, all, 0, layer, layer + 1), zeros));
    };
    return this.rnn.forward(inside.within({ initialState: (name, shape) => inside.initialState(name, shape) ?? first(name, shape) }), x);
  }
}
