/** The twins of recurrent-loop.ts: those of one step, for each step. */
import { stepsBack, type loopBackward, type loopForward, type loopTwoPhaseBackward, type loopTwoPhaseForward } from "./recurrent-loop.ts";
import { stepBackwardTwin, stepForwardTwin } from "./recurrent-step.twin.ts";
import { twoPhaseBackwardTwin, twoPhaseForwardTwin } from "./recurrent-two-phase.twin.ts";
import { recurrentTwins, type TwinEntry } from "./twin.ts";

export const loopTwins: TwinEntry[] = [
  recurrentTwins<ReturnType<typeof loopForward>>("loop-forward", (parts) => {
    const step = stepForwardTwin(parts);
    return (arrays, segment) => {
      for (let i = 0; i < segment.steps; i++) step(arrays, { ...segment, i });
    };
  }),
  recurrentTwins<ReturnType<typeof loopBackward>>("loop-backward", (parts) => {
    const step = stepBackwardTwin(parts);
    return (arrays, { tail, ...segment }) => {
      for (const one of stepsBack(segment.steps, tail === 1)) step(arrays, { ...segment, ...one });
    };
  }),
  recurrentTwins<ReturnType<typeof loopTwoPhaseForward>>("loop-two-phase-forward", (parts) => {
    const phases = [twoPhaseForwardTwin(parts, 0), twoPhaseForwardTwin(parts, 1)];
    return (arrays, segment) => {
      for (let i = 0; i < segment.steps; i++) for (const phase of phases) phase(arrays, { ...segment, i });
    };
  }),
  recurrentTwins<ReturnType<typeof loopTwoPhaseBackward>>("loop-two-phase-backward", (parts) => {
    const [first, second] = [twoPhaseBackwardTwin(parts, 0), twoPhaseBackwardTwin(parts, 1)];
    return (arrays, { tail, ...segment }) => {
      for (const one of stepsBack(segment.steps, tail === 1)) {
        first(arrays, { ...segment, ...one });
        if (!one.tail) second(arrays, { ...segment, ...one });
      }
    };
  }),
];
