/** Computes each time step in one dispatch; stacked layers may share them. */
import { laneStart, type Segment } from "../kernels/lanes.ts";
import type { KernelForm } from "../kernels/recurrent-kernel.ts";
import { stepForm, stepForward } from "../kernels/step.ts";
import type { Strategy } from "./strategy.ts";

/** Each stacked layer begins one step after the layer below. */
export const dispatchesOf = ({ steps, lanes }: Segment, { stacked }: KernelForm): number => steps + (stacked ? lanes - 1 : 0);

const forward: Strategy["forward"] = ({ tape: { recording }, cell, form }, { segment, ...buffers }, weights) => {
  const kernel = stepForward(cell, stepForm(cell, form, segment));
  for (let i = 0; i < dispatchesOf(segment, form); i++) recording.dispatch(kernel, { ...buffers, weights }, { ...segment, i });
};

export const step: Strategy = {
  name: "step",
  advantage: "runs every layer",
  refusals: [],
  stems: [],
  isBroken: () => false,
  forward,
  fuses: false,
};

export const wavefront: Strategy = {
  name: "wavefront",
  advantage: "layers share dispatches",
  refusals: [
    { layers: "on the CPU", applies: (_, { kind }) => kind === "cpu", because: () => "saves dispatches, which cost nothing on the CPU" },
    {
      layers: "one layer, two directions, a projection, or dropout between the layers",
      applies: ({ layers, lanes }) => layers === 1 || lanes > 1,
      because: () => "needs layers of one direction on top of each other, with nothing in between",
    },
    {
      layers: "a cell with two phases (GRU with the reset before the product)",
      applies: ({ phases }) => phases > 1,
      because: () => "has no kernels for cells with two products a step",
    },
    {
      layers: "normalization, zoneout or recurrentDropout",
      applies: ({ regularized }) => regularized !== "none",
      because: () => "has no kernels for layers with normalization, zoneout or recurrent dropout",
    },
    {
      layers: 'training with recompute or storage: "float16"',
      applies: ({ recomputes, training }) => recomputes && training,
      because: () => "keeps the gates of all steps until the backward pass",
    },
    {
      layers: "more gates than one buffer holds",
      applies: ({ layers, T, B, H, G }, { mostElements }) => laneStart(layers, T * B * H) * G > mostElements,
      because: () => "needs the gates of all layers and steps in one buffer",
    },
  ],
  stems: [],
  isBroken: () => false,
  forward,
  fuses: false,
};
