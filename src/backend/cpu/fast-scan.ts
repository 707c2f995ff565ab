/**
 * MinGRU and MinLSTM in WebAssembly, loaded with the first that is used. Whatever the strategy, the steps run one after the
 * other; each thread takes some of the rows.
 */
import type { RecurrentParts } from "../../recurrent/kernels/recurrent-kernel.ts";
import { callsTogether, worthSharing, type Call, type FastKernel } from "./calls.ts";
import { laneOf, slotsOf, stepsOf } from "./fast-recurrent.ts";
import type { Means } from "./work-space.ts";

/** About as many multiplications as the functions of a unit take. */
const perUnit = 32;

/** @param number the cell's in `wasm/scan.ts` */
export function scanKernel(parts: RecurrentParts, number: number, { threads }: Means): FastKernel {
  const { cell, pass } = parts;
  const makesPositive = cell.constants!.positiveCandidate;
  return (at, p) => {
    const { B, H, steps } = p;
    const all = stepsOf(parts, p)
      // Without a recurrent product, no gradient goes back through weights.
      .filter(({ tail }) => !tail)
      .map((step) => ({ ...laneOf(at, p, step.lane, parts), ...slotsOf(p, step) }));
    const callOf = (
      { gates, h, dy, carry, lengths, t, previousSlot, currentSlot }: (typeof all)[number],
      first: number,
      end: number,
    ): Call =>
      pass === "forward"
        ? { name: "scanForward", args: [number, makesPositive, gates, h, lengths, B, H, t, previousSlot, currentSlot, first, end] }
        : { name: "scanBackward", args: [number, makesPositive, gates, h, dy, carry, lengths, B, H, t, previousSlot, first, end] };
    const shared = steps * B * H * perUnit >= worthSharing;
    return threads.parallel(B, shared ? 1 : B, (first, end) => all.map((step) => callOf(step, first, end)), callsTogether(B * H * perUnit));
  };
}
