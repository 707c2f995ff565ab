/** The twins of scan.ts run the steps one after the other, with zeros on the recurrent side. */
import type { NumericArray } from "../../tensor/tensor.ts";
import { inPieces, recurrentTwins, type KernelFamily } from "../../kernels/twin.ts";
import { scannedCells } from "../cells/all-cells.ts";
import { minGru } from "../cells/min-gru.ts";
import { laneStart, type Segment } from "../kernels/lanes.ts";
import { stepAt } from "../kernels/step-places.ts";
import { scanBackward, scanForward } from "./scan.ts";
import { backwardUnits, forwardUnits } from "../kernels/step.twin.ts";

type Forward = ReturnType<typeof scanForward>;
type Backward = ReturnType<typeof scanBackward>;

/** All steps of all lanes, in the order of computation. */
const stepsOf = (segment: Segment) =>
  Array.from({ length: segment.steps }, (_, i) =>
    Array.from({ length: segment.lanes }, (_, lane) => ({ lane, step: stepAt(segment, lane, i) })),
  ).flat();

/** Sets dc in `carry` to 0, because there is no c; also for rows without a step. */
function clearMemory(carry: NumericArray, { lanes, B, H }: Segment): void {
  for (let lane = 0; lane < lanes; lane++) for (let at = 0; at < B * H; at++) carry[(laneStart(lane, B * H) + at) * 2 + 1] = 0;
}

const none = new Float64Array(0);

const twins: KernelFamily["twins"] = [
  recurrentTwins<Forward>("scan-forward", ({ cell, form }) =>
    inPieces((arrays, segment) => {
      const G = cell.gateNames.length;
      const nothing = new Float64Array(segment.B * segment.H * G);
      const all = { ...arrays, c: none, weights: none };
      return stepsOf(segment).map(
        ({ lane, step }) =>
          () =>
            forwardUnits(cell, all, segment, lane, step, nothing, arrays.gates.subarray(step.gates * G), form),
      );
    }),
  ),
  recurrentTwins<Backward>("scan-backward", ({ cell, form }) =>
    inPieces(({ dy, ...arrays }, segment) => {
      const nothing = new Float64Array(segment.B * segment.H);
      const all = { ...arrays, c: none, weights: none, dRecurrent: none };
      const steps = stepsOf(segment).reverse();
      return [
        ...steps.map(
          ({ lane, step }) =>
            () =>
              backwardUnits(cell, all, segment, lane, step, nothing, dy.subarray(step.dy), form),
        ),
        () => clearMemory(all.carry, segment),
      ];
    }),
  ),
];

export const scanFamily: KernelFamily = {
  twins,
  variants: () => [
    ...scannedCells.flatMap((cell) => [scanForward(cell), scanBackward(cell)]),
    scanForward(minGru, { gaps: true }),
    scanBackward(minGru, { gaps: true }),
  ],
};
