/** Copies in half precision, and back. */
import { fromHalf, halfLength, toHalf } from "../kernels/half-storage.ts";
import type { Recording, View } from "../recording/recording.ts";
import { sizeOf } from "../tensor/shape.ts";

/** Copies `x`, in groups of `width` numbers, to a new buffer of halves. */
export function toHalves(recording: Recording, label: string, x: View, width: number): View {
  const length = sizeOf(x.shape);
  const y = recording.buffer(label, [halfLength(length, width)], "transient", "u32");
  recording.dispatch(toHalf, { x, y }, { length, width });
  return y;
}

/** Copies halves to `y` in single precision. */
export function fromHalves(recording: Recording, halves: View, y: View, width: number): View {
  recording.dispatch(fromHalf, { x: halves, y }, { length: sizeOf(y.shape), width });
  return y;
}
