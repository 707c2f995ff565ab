/**
 * Steps and time loops of a cell that WebAssembly does not know: the products run in WebAssembly, the rest in the
 * twin's functions.
 */
import { phasesOf, type Cell } from "../../recurrent/cells/cell.ts";
import { memoryNumbers } from "../../recurrent/cells/memory.ts";
import type { Arrays } from "../../kernels/kernel.ts";
import { backwardMatrix, forwardMatrix, type RecurrentParts } from "../../recurrent/kernels/recurrent-kernel.ts";
import { stepAt, type Segment } from "../../recurrent/kernels/lanes.ts";
import type { backwardBindings, forwardBindings } from "../../recurrent/kernels/step.ts";
import { addToCarry, backwardUnits, forwardUnits } from "../../recurrent/kernels/step.twin.ts";
import { needing, worthSharing, type Addresses, type Call, type FastKernel, type Pieces } from "./calls.ts";
import { stepsOf, type LaneStep } from "./fast-recurrent.ts";
import type { Means, WorkSpace } from "./work-space.ts";

/** Splits a product by rows among the threads. */
type Share = (call: (first: number, end: number) => Call) => Pieces;

/** A step: the product into `work`, then the units. */
function forwardStep(
  cell: Cell,
  at: Addresses,
  arrays: Arrays<typeof forwardBindings>,
  segment: Segment,
  { lane, i }: LaneStep,
  work: WorkSpace,
  share: Share,
): () => void {
  const { B, H } = segment;
  const G = cell.gateNames.length;
  const step = stepAt(segment, lane, i, memoryNumbers(cell));
  const weights = at.weights + 4 * G * forwardMatrix(cell, lane, H);
  const width = H * G;
  const recurrent = work.array(B * width);
  const input = arrays.gates.subarray(step.gates * G);
  const multiply = share((first, end) => ({
    name: "matmul",
    args: [
      at.h + 4 * (step.hPrevious + first * H),
      weights,
      weights + 4 * H * width,
      work.address + 4 * first * width,
      end - first,
      width,
      H,
      1,
      0,
      H,
      1,
      0,
      width,
      1,
      0,
      width,
      0,
    ],
  }));
  return () => {
    for (const piece of multiply) piece();
    forwardUnits(cell, arrays, segment, lane, step, recurrent, input);
  };
}

function backwardStep(
  cell: Cell,
  at: Addresses,
  arrays: Arrays<typeof backwardBindings>,
  segment: Segment,
  { lane, i, tail }: LaneStep,
  work: WorkSpace,
  share: Share,
): () => void {
  const { B, H, steps } = segment;
  const G = cell.gateNames.length;
  const step = stepAt(segment, lane, i, memoryNumbers(cell));
  const from = tail ? step.gates : i + 1 < steps ? stepAt(segment, lane, i + 1).gates : undefined;
  const following = cell.splitsRecurrentGradient ? at.dRecurrent : at.gates;
  const weights = at.weights + 4 * G * backwardMatrix(cell, lane, H);
  const product = work.array(B * H);
  const dy = arrays.dy.subarray(step.dy);
  const multiply =
    from === undefined
      ? [() => void product.fill(0)]
      : share((first, end) => ({
          name: "gateProduct",
          args: [following + 4 * G * (from + first * H), weights, work.address + 4 * first * H, end - first, H, G],
        }));
  return () => {
    for (const piece of multiply) piece();
    if (tail) addToCarry(cell, arrays.carry, segment, lane, product);
    else backwardUnits(cell, arrays, segment, lane, step, product, dy);
  };
}

/** The kernel with its products in WebAssembly; undefined if that is not possible for it. */
export function customKernel(parts: RecurrentParts, { threads, work }: Means): FastKernel | undefined {
  const { cell, strategy, pass, form } = parts;
  if (strategy === "regularized" || strategy === "scan" || phasesOf(cell) === 2 || form.stacked || form.half) return undefined;
  const G = cell.gateNames.length;
  const stepOf = pass === "backward" ? backwardStep : forwardStep;
  return needing(pass === "backward" ? ["training"] : [], (at, p, arraysOf) => {
    const { B, H } = p;
    work.reserve(B * H * G);
    const arrays = arraysOf() as Arrays<typeof forwardBindings & typeof backwardBindings>;
    const share: Share = (call) => threads.parallel(B, B * H * H >= worthSharing ? 4 : B, (first, end) => [call(first, end)], 1);
    return stepsOf(parts, p).map((step) => stepOf(cell, at, arrays, p as Segment, step, work, share));
  });
}
