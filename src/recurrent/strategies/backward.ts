/** The backward dispatches of the strategies that most layers have; a forward pass alone does not load them. */
import { stepsBack } from "../kernels/loop.ts";
import { loopBackward } from "../kernels/loop.backward.ts";
import { stepBackward } from "../kernels/step.backward.ts";
import { stepForm } from "../kernels/step.ts";
import { dispatchesOf } from "./step.ts";
import type { Dispatches } from "./strategy.ts";

type Backward = Dispatches["backward"];

const loop: Backward = ({ tape: { recording }, cell, form }, { segment, ...buffers }, cotangents, tail) => {
  const params = { ...segment, tail: tail ? 1 : 0 };
  recording.dispatch(loopBackward(cell, segment.H, segment.B, form), { ...buffers, ...cotangents }, params);
};

const step: Backward = ({ tape: { recording }, cell, form }, { segment, ...buffers }, cotangents, tail) => {
  const kernel = stepBackward(cell, stepForm(cell, form, segment));
  for (const one of stepsBack(dispatchesOf(segment, form), tail))
    recording.dispatch(kernel, { ...buffers, ...cotangents }, { ...segment, ...one });
};

/** By the name of each strategy without a `backward` of its own. */
export const backwardOf: Readonly<Record<string, Backward>> = { loop, wavefront: step, step };
