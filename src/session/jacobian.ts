import { checkCount, RnnError } from "../errors.ts";
import type { Module } from "../nn/module.ts";
import { sizeOf } from "../tensor/shape.ts";
import type { TensorLike } from "../tensor/take.ts";
import type { FloatArray, Tensor } from "../tensor/tensor.ts";
import { takeInputs, type ModelInputs } from "./plan.ts";
import { gradientsOf } from "./gradients.ts";
import { forwardOf, takeRunOptions, type RunOptions } from "./run.ts";
import { whileReading } from "./reading.ts";
import { Session } from "./session.ts";

/**
 * A module's output and its full Jacobian ∂output_i/∂input_j, [...output shape, ...input shape]: one backward pass for
 * each number of the output.
 * @example await jacobian(new Softmax(), tensor([1, 2, 3]), { backend }) // y_i ([i = j] - y_j)
 * @throws RnnError `option` if the input is ids, because they have no derivative
 */
export async function jacobian(
  model: Module,
  given: ModelInputs | TensorLike,
  runOptions: RunOptions,
): Promise<{ output: Tensor<FloatArray>; jacobian: Tensor<FloatArray> }> {
  const options = takeRunOptions("jacobian", runOptions);
  const session = Session.of(model, options.backend);
  const inputs = takeInputs(model, given);
  return whileReading([session], async (reading) => {
    const { output } = await forwardOf(model, inputs, options, reading);
    checkCount("jacobian", "the Jacobian", output.data.length * inputs.input.data.length);
    const unit = { shape: output.shape, data: options.backend.floats(output.data.length) };
    let rows: { shape: readonly number[]; data: FloatArray } | undefined;
    for (let i = 0; i < unit.data.length; i++) {
      unit.data.fill(0)[i] = 1;
      const {
        gradients: { input },
      } = await gradientsOf(model, inputs, { output: unit }, options, reading);
      if (!input) throw new RnnError("option", "jacobian", "needs a model whose input is numbers; ids have no derivative");
      rows ??= { shape: [...output.shape, ...input.shape], data: options.backend.floats(unit.data.length * sizeOf(input.shape)) };
      rows.data.set(input.data, i * input.data.length);
    }
    if (!rows) throw new RnnError("shape", "jacobian", "needs a model with an output");
    return { output, jacobian: rows };
  });
}
