import { subview, type Recording, type View } from "../recording/recording.ts";
import { sizeOf, type Shape } from "../tensor/shape.ts";
import { laneStart } from "./kernels/lanes.ts";

/** A buffer with a share for each lane. A single lane's buffer has the lane's own shape. */
export interface LaneBuffer {
  readonly whole: View;
  readonly of: (lane: number) => View;
}

export function laneBuffer(recording: Recording, label: string, lanes: number, shape: Shape, width = 1): LaneBuffer {
  const size = sizeOf(shape) / width;
  const whole = recording.buffer(label, lanes === 1 ? shape : [(laneStart(lanes - 1, size) + size) * width]);
  return { whole, of: (lane) => subview(whole, laneStart(lane, size) * width, shape) };
}
