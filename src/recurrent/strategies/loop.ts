/** One dispatch for all time steps: a workgroup computes some rows of the batch, with barriers between the steps. */
import { loopForward, mostLoopUnits } from "../kernels/loop.ts";
import type { Target } from "../../recording/target.ts";
import type { LayerShape, Strategy } from "./strategy.ts";

/** Units that a workgroup holds: on GPUs as many as it has threads, if those share sums and keep no row's statistics. */
const mostUnits = ({ heads, regularized }: Required<LayerShape>, { isGpu, mostThreads }: Target): number =>
  isGpu && heads === 1 && regularized === "none" ? Math.max(mostLoopUnits, mostThreads) : mostLoopUnits;

export const loop: Strategy = {
  name: "loop",
  advantage: "one dispatch for all steps",
  refusals: [
    {
      isReason: true,
      layers: `more than ${mostLoopUnits} units; on a GPU, plain layers of more units than a workgroup may have threads`,
      applies: (layer, target) => layer.H > mostUnits(layer, target),
      because: (layer, target) => `needs at most ${mostUnits(layer, target)} units, which is what a workgroup holds, got ${layer.H}`,
    },
    {
      isReason: true,
      layers: 'normalization: "batch"',
      applies: ({ regularized }) => regularized === "batch",
      because: () => "has a workgroup for each row, and batch normalization needs all rows at each step",
    },
  ],
  stems: ["loop-"],
  isBroken({ phases, regularized }, avoided) {
    if (regularized !== "none") return avoided.fused;
    return phases > 1 ? avoided.starts("loop-two-phase") : avoided.starts("loop-forward", "loop-backward");
  },
  defers(layer, { kind, isGpu, mostThreads, stepTimes }) {
    if (kind === "cpu") return layer.regularized !== "none" ? "the CPU has fast products" : undefined;
    const { loop = 0, step = 0 } = (isGpu ? stepTimes?.estimated(layer, mostThreads) : undefined) ?? {};
    return loop > step
      ? `loop would read all weights in each step: on a GPU an estimated ${loop.toFixed(1)} µs a step instead of ${step.toFixed(1)}`
      : undefined;
  },
  forward({ tape: { recording }, cell, form }, { segment, ...buffers }, weights) {
    recording.dispatch(loopForward(cell, segment.H, segment.B, form), { ...buffers, weights }, segment);
  },
  fuses: true,
};
