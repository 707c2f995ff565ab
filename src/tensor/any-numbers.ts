/** Tensors of any numbers, NaN too: what programs make, and what files hold. */
import { takeTensor, type Content, type NestedNumbers } from "./take.ts";
import type { Shape } from "./shape.ts";
import type { Tensor } from "./tensor.ts";

/** In the nearest of the package's four types. */
const anything: Content = { type: "any", least: -Infinity, most: Infinity, booleans: true };

/**
 * Makes a tensor from nested lists, or from flat numbers and a shape; it copies them. Lists become float32. Typed
 * arrays of float32, float64, int32 and uint32 keep their type; shorter types become the nearest of these.
 * @throws RnnError `shape` if rows differ in length or the shape does not hold the data; `data` for a value that is no
 * number, or is finite but not in float32
 */
export function tensor(values: NestedNumbers | number, shape?: Shape): Tensor {
  if (typeof values === "number") return takeTensor("tensor", "values", { shape: shape ?? [], data: [values] }, anything);
  return takeTensor("tensor", "values", shape === undefined ? values : { shape, data: values }, anything);
}

/** A tensor of any numbers, for a file. @throws RnnError as `tensor` does */
export const takeForFile = (where: string, name: string, value: unknown): Tensor => takeTensor(where, name, value, anything);
