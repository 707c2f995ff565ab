/** The twins of loop.ts run the twin of one step for each step. */
import type { Segment } from "./lanes.ts";
import { stepsBack, type loopBackward, type loopForward, type loopTwoPhaseBackward, type loopTwoPhaseForward } from "./loop.ts";
import { stepBackwardTwin, stepForwardTwin } from "./step.twin.ts";
import { twoPhaseBackwardTwin, twoPhaseForwardTwin } from "./two-phase.twin.ts";
import { inPieces, recurrentTwins, type TwinEntry } from "../../kernels/twin.ts";

const stepsOf = ({ steps }: Pick<Segment, "steps">): number[] => Array.from({ length: steps }, (_, i) => i);

export const loopTwins: TwinEntry[] = [
  recurrentTwins<ReturnType<typeof loopForward>>("loop-forward", (parts) => {
    const step = stepForwardTwin(parts);
    return inPieces((arrays, segment) => stepsOf(segment).map((i) => () => step(arrays, { ...segment, i })));
  }),
  recurrentTwins<ReturnType<typeof loopBackward>>("loop-backward", (parts) => {
    const step = stepBackwardTwin(parts);
    return inPieces((arrays, { tail, ...segment }) =>
      stepsBack(segment.steps, tail === 1).map((one) => () => step(arrays, { ...segment, ...one })),
    );
  }),
  recurrentTwins<ReturnType<typeof loopTwoPhaseForward>>("loop-two-phase-forward", (parts) => {
    const phases = [twoPhaseForwardTwin(parts, 0), twoPhaseForwardTwin(parts, 1)];
    return inPieces((arrays, segment) => stepsOf(segment).flatMap((i) => phases.map((phase) => () => phase(arrays, { ...segment, i }))));
  }),
  recurrentTwins<ReturnType<typeof loopTwoPhaseBackward>>("loop-two-phase-backward", (parts) => {
    const [first, second] = [twoPhaseBackwardTwin(parts, 0), twoPhaseBackwardTwin(parts, 1)];
    return inPieces((arrays, { tail, ...segment }) =>
      stepsBack(segment.steps, tail === 1).flatMap((one) =>
        (one.tail ? [first] : [first, second]).map((phase) => () => phase(arrays, { ...segment, ...one })),
      ),
    );
  }),
];
