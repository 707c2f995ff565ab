/**
 * Runs the time loop of a cell without a recurrent product, in one dispatch however many steps there are. A step takes
 * h_{t-1} to a_t⊙h_{t-1} + b_t, where a_t and b_t depend on the inputs alone. Several steps together have the same
 * form. So time is cut into parts, whose pairs (a, b) are computed side by side. Each part then starts from the state
 * that the parts before it leave. Letters, lanes and bindings are those of `kernels/step.ts`.
 *
 * The pairs are stored as they are, not as logarithms. Where 0 ≤ a ≤ 1, a product can only shrink to 0, as it would
 * step by step, and a sum is as exact as step by step.
 */
import type { Cell } from "../cells/cell.ts";
import { defineKernel, elementGroups, type Workgroups } from "../../kernels/kernel.ts";
import { segmentParams } from "../kernels/lanes.ts";
import { structsPath, constantsOf, formName, type KernelForm, type RecurrentParts } from "../kernels/recurrent-kernel.ts";
import { backwardBindings } from "../kernels/step.backward.ts";
import { forwardBindings } from "../kernels/step.ts";
import type { Strategy } from "./strategy.ts";

/** Columns of a workgroup; a column is a unit of a row. The same number is in shaders/lib/scan.wgsl. */
const columns = 8;

const variant = (cell: Cell, pass: RecurrentParts["pass"], form: KernelForm) => ({
  name: `scan-${pass}:${cell.name}${formName(form)}`,
  recurrent: { cell, strategy: "scan", pass, form } as const,
  sources: [
    "lib/activations",
    "lib/linear-index",
    structsPath,
    "lib/cell",
    "lib/lane",
    `cells/${cell.shader}`,
    "lib/scan",
    `strategies/scan-${pass}`,
  ],
  constants: constantsOf(cell, form),
  params: segmentParams,
  workgroups: ({ lanes, B, H }: { lanes: number; B: number; H: number }): Workgroups => {
    const [x, y] = elementGroups(B * H, columns);
    return [x, y, lanes];
  },
});

/** For a cell with h_t = a⊙h_{t-1} + b, whose gates see neither h_{t-1} nor a c. */
export const scanForward = (cell: Cell, form: KernelForm = {}) => {
  const { gates, h, lengths } = forwardBindings;
  return defineKernel({ ...variant(cell, "forward", form), bindings: { gates, h, lengths } });
};

/** Leaves the gradient for the segment before in `carry`, with 0 in the place of dc. */
export const scanBackward = (cell: Cell, form: KernelForm = {}) => {
  const { gates, h, dy, carry, lengths } = backwardBindings;
  return defineKernel({ ...variant(cell, "backward", form), bindings: { gates, h, dy, carry, lengths } });
};

/** It is chosen wherever it can run, because it needs few dispatches; profiles do not measure it. */
export const scan: Strategy = {
  name: "scan",
  advantage: "computes the steps side by side",
  comesFirst: true,
  refusals: [
    {
      layers: "a cell with a recurrent product (RNN, GRU, LSTM)",
      applies: ({ linear }) => !linear,
      because: () => "needs a cell without a recurrent product, whose h_t is a⊙h_{t-1} + b",
    },
    {
      layers: "normalization, zoneout or recurrentDropout",
      applies: ({ regularized }) => regularized !== "none",
      because: () => "has no kernels for layers with normalization, zoneout or recurrent dropout",
    },
  ],
  stems: ["scan-"],
  isBroken: (_, avoided) => avoided.starts("scan-"),
  forward({ tape: { recording }, cell, form: { gaps } }, { segment, gates, h, lengths }) {
    recording.dispatch(scanForward(cell, { gaps }), { gates, h, lengths }, segment);
  },
  backward({ tape: { recording }, cell, form: { gaps } }, { segment, gates, h, lengths }, { dy, carry }) {
    recording.dispatch(scanBackward(cell, { gaps }), { gates, h, dy, carry, lengths }, segment);
  },
  fuses: false,
};
