/** Checks that what a checkpoint holds fits a training. */
import { clip, RnnError } from "../errors.ts";
import { sizeOf, type Shape } from "../tensor/shape.ts";
import { checkFinite } from "../tensor/finite.ts";
import type { NumericArray, Tensor } from "../tensor/tensor.ts";

/**
 * @param shapes of the optimiser's state
 * @throws RnnError `format` or `data`, naming the tensor
 */
export function checkOptimizer(values: Readonly<Record<string, Tensor>>, shapes: ReadonlyMap<string, Shape>): void {
  for (const [name, shape] of shapes) {
    const value = values[name] as Tensor | undefined;
    if (!value) throw new RnnError("format", "checkpoint", `lacks "optimizer.${name}"`);
    if (value.shape.join() !== shape.join())
      throw new RnnError("format", "checkpoint", `"optimizer.${name}" must be [${shape.join(", ")}], got [${value.shape.join(", ")}]`);
    checkFinite("checkpoint", `"optimizer.${name}"`, value.data);
  }
  const unknown = Object.keys(values).find((name) => !shapes.has(name));
  if (unknown !== undefined)
    throw new RnnError(
      "format",
      "checkpoint",
      `has "optimizer.${clip(unknown)}", which this trainer's optimizer, with its options, does not keep`,
    );
}

/**
 * @param step the number of steps before the checkpoint
 * @param shapes of the states that go on from the next batch
 * @param starts whether the next batch starts sequences: it may have another number of rows then
 * @throws RnnError `format` or `data`, naming the state
 */
export function checkCarried(
  values: Readonly<Record<string, NumericArray>>,
  step: number,
  shapes: ReadonlyMap<string, Shape>,
  starts: boolean,
): void {
  for (const [label, shape] of shapes) {
    // Nothing is carried before the first step.
    if (step === 0 && !Object.hasOwn(values, label)) continue;
    if (!Object.hasOwn(values, label)) throw new RnnError("format", "checkpoint", `lacks "${label}"; was it made with carryState: false?`);
    const { length } = values[label];
    if (length !== sizeOf(shape) && !starts)
      throw new RnnError(
        "format",
        "checkpoint",
        `"${label}" must hold ${sizeOf(shape)} numbers for this trainer's batches, got ${length}; keep the batch size`,
      );
    checkFinite("checkpoint", `"${label}"`, values[label]);
  }
  const unknown = Object.keys(values).find((label) => !shapes.has(label));
  if (unknown !== undefined) throw new RnnError("format", "checkpoint", `has "${clip(unknown)}", which this trainer does not carry`);
}
