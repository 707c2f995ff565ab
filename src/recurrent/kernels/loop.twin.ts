/** The twins of loop.ts run the twin of one step for each step. */
import { onePhaseCells, twoPhaseCells } from "../cells/all-cells.ts";
import { gruResetBefore } from "../cells/gru-reset-before.ts";
import { gru } from "../cells/gru.ts";
import { lstm } from "../cells/lstm.ts";
import { minGru } from "../cells/min-gru.ts";
import { rnnTanh } from "../cells/rnn.ts";
import { slstmCell } from "../cells/slstm.ts";
import type { Segment } from "./lanes.ts";
import { loopTwoPhaseBackward, loopTwoPhaseForward } from "./loop-two-phase.ts";
import { loopForward, stepsBack } from "./loop.ts";
import { loopBackward } from "./loop.backward.ts";
import { stepBackwardTwin, stepForwardTwin } from "./step.twin.ts";
import { twoPhaseBackwardTwin, twoPhaseForwardTwin } from "./two-phase.twin.ts";
import { inPieces, withShared, type KernelFamily } from "../../kernels/twin.ts";

const stepsOf = ({ steps }: Pick<Segment, "steps">): number[] => Array.from({ length: steps }, (_, i) => i);

const twins: KernelFamily["twins"] = [
  ...withShared<ReturnType<typeof loopForward>>("loop-forward", (parts) => {
    const step = stepForwardTwin(parts);
    return inPieces((arrays, segment) => stepsOf(segment).map((i) => () => step(arrays, { ...segment, i })));
  }),
  ...withShared<ReturnType<typeof loopBackward>>("loop-backward", (parts) => {
    const step = stepBackwardTwin(parts);
    return inPieces((arrays, { tail, ...segment }) =>
      stepsBack(segment.steps, tail === 1).map((one) => () => step(arrays, { ...segment, ...one })),
    );
  }),
  ...withShared<ReturnType<typeof loopTwoPhaseForward>>("loop-two-phase-forward", (parts) => {
    const phases = [twoPhaseForwardTwin(parts, 0), twoPhaseForwardTwin(parts, 1)];
    return inPieces((arrays, segment) => stepsOf(segment).flatMap((i) => phases.map((phase) => () => phase(arrays, { ...segment, i }))));
  }),
  ...withShared<ReturnType<typeof loopTwoPhaseBackward>>("loop-two-phase-backward", (parts) => {
    const [first, second] = [twoPhaseBackwardTwin(parts, 0), twoPhaseBackwardTwin(parts, 1)];
    return inPieces((arrays, { tail, ...segment }) =>
      stepsBack(segment.steps, tail === 1).flatMap((one) =>
        (one.tail ? [first] : [first, second]).map((phase) => () => phase(arrays, { ...segment, ...one })),
      ),
    );
  }),
];

const slstm = slstmCell("sigmoid");

export const loopFamily: KernelFamily = {
  twins,
  variants: () => [
    ...onePhaseCells.flatMap((cell) => [loopForward(cell, 33, 4), loopBackward(cell, 33, 4)]),
    // As GPUs run them, with 1, 3 and 4 gates.
    ...[rnnTanh, gru, lstm].flatMap((cell) => [
      // All weights held, by one share and by three; then read in each step by as many shares as fit (an RNN's are held by two).
      ...[16, 33].flatMap((units) => [loopForward(cell, units, 4, { shared: 256 }), loopBackward(cell, units, 4, { shared: 256 })]),
      loopForward(cell, 33, 60, { shared: 128 }),
      loopBackward(cell, 33, 60, { shared: 128 }),
    ]),
    ...[lstm, gru].flatMap((cell) => [loopForward(cell, 64, 120, { shared: 256 }), loopBackward(cell, 64, 120, { shared: 256 })]),
    // An RNN's, held by few threads.
    loopForward(rnnTanh, 128, 4, { shared: 256 }),
    loopBackward(rnnTanh, 128, 4, { shared: 256 }),
    loopForward(lstm, 130, 4, { shared: 256 }),
    loopBackward(lstm, 130, 4, { shared: 256 }),
    // Halves held by one share, by two that have more than all units, and by two that have them exactly.
    loopForward(lstm, 33, 4, { half: true, shared: 64 }),
    loopBackward(gru, 33, 4, { half: true, shared: 64 }),
    loopForward(gru, 33, 60, { half: true, shared: 1024 }),
    loopBackward(lstm, 33, 60, { half: true, shared: 1024 }),
    loopForward(rnnTanh, 128, 4, { half: true, shared: 256 }),
    loopBackward(lstm, 128, 4, { half: true, shared: 256 }),
    loopForward(gru, 33, 4, { half: true, gaps: true }),
    loopBackward(lstm, 33, 4, { half: true, gaps: true }),
    loopForward(lstm, 256, 4),
    loopBackward(lstm, 256, 4),
    loopForward(lstm, 33, 1),
    loopBackward(gru, 33, 1),
    ...twoPhaseCells.map((cell) => loopTwoPhaseForward(cell, 33, 4)),
    loopTwoPhaseBackward(gruResetBefore, 33, 4, { half: true, gaps: true }),
    ...[
      [33, 4, 256],
      [33, 60, 128],
    ].flatMap(([units, batch, shared]) => [
      loopTwoPhaseForward(gruResetBefore, units, batch, { shared }),
      loopTwoPhaseBackward(gruResetBefore, units, batch, { shared }),
    ]),
    loopTwoPhaseForward(gruResetBefore, 33, 4, { half: true, shared: 1024 }),
    // Without a recurrent matrix, and with blocks of one.
    loopForward(minGru, 33, 4),
    loopBackward(minGru, 33, 4),
    loopForward(slstm, 33, 4, { heads: 3 }),
    loopBackward(slstm, 33, 4, { heads: 3 }),
  ],
};
