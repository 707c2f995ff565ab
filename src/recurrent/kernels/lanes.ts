/**
 * Computes where the parts of a recurrent layer's buffers lie. Letters: T steps, B batch rows, H units, G gates of the
 * cell.
 *
 * - A lane is one of the directions, or one of the stacked layers, that a dispatch runs side by side. It goes forwards, or
 *   from the last step to the first. Its share of every buffer starts at a multiple of 64 elements.
 * - A segment is the part of a sequence that a dispatch, or a run of dispatches, computes: the `steps` steps after the
 *   `first` ones, in the order of computation. Gates are stored by segment, states for the whole sequence.
 * - States lie in slots: h is [T+1, B, H], behind `hBase` elements in a lane that goes forwards. Slot t holds the state
 *   before step t (in reverse: after it), slot t+1 the state after it (before it).
 *
 * shaders/lib/lane.wgsl has the same arithmetic.
 */
import { align, type Params } from "../../kernels/kernel.ts";
import type { Tensor } from "../../tensor/tensor.ts";

export const segmentParams = {
  lanes: "u32",
  T: "u32",
  B: "u32",
  H: "u32",
  reverse: "u32",
  hBase: "u32",
  first: "u32",
  steps: "u32",
} as const;
/** `reverse` has a bit for each lane. */
export type Segment = Params<typeof segmentParams>;

/**
 * `lengths` holds the number of steps of a row without gaps. For a row with gaps it holds this bit and where the row's
 * bits begin.
 */
export const hasBits = 2 ** 31;

/** Numbers of `lengths` if rows may have gaps. */
export const stepWords = (T: number, B: number): number => B * (1 + Math.ceil(T / 32));

/** Makes `lengths` for rows that may have gaps. @param mask [T, B], 0 for a step that the row lacks */
export function lengthsOfMask({ shape: [T, B], data }: Tensor): Uint32Array {
  const words = new Uint32Array(stepWords(T, B));
  const each = Math.ceil(T / 32);
  for (let row = 0; row < B; row++) {
    const first = B + row * each;
    words[row] = hasBits + first;
    for (let t = 0; t < T; t++) if (data[t * B + row] !== 0) words[first + (t >>> 5)] |= 1 << (t & 31);
  }
  return words;
}

export const laneStart = (lane: number, size: number): number => lane * align(size);
export const isReversed = (reverse: number, lane: number): boolean => ((reverse >>> lane) & 1) === 1;

/** The size and the start of a lane's slots. h of all lanes needs `laneStart(lanes, hSize)` numbers. */
export const hSize = ({ T, B, H, hBase }: Pick<Segment, "T" | "B" | "H" | "hBase">): number => hBase + (T + 1) * B * H;
export const hStart = (lane: number, segment: Pick<Segment, "T" | "B" | "H" | "hBase" | "reverse">): number =>
  laneStart(lane, hSize(segment)) + (isReversed(segment.reverse, lane) ? 0 : segment.hBase);
export const cStart = (lane: number, { T, B, H }: Pick<Segment, "T" | "B" | "H">, memories = 1): number =>
  laneStart(lane, (T + 1) * B * H * memories);

/** The step of a segment that is first in time; `first` is the one that is computed first. */
export const firstInTime = (lane: number, { T, reverse, first, steps }: Segment): number =>
  isReversed(reverse, lane) ? T - first - steps : first;
