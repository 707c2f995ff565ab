/**
 * The time loop of a cell without a recurrent product, in one dispatch however many steps there are: such a step takes
 * h_{t-1} to a_t⊙h_{t-1} + b_t with a_t and b_t that the inputs alone decide, and what several steps do together has the
 * same form. So time is cut into parts whose pairs (a, b) are computed side by side, and each part then starts from what
 * those before it leave. Letters, lanes and bindings are those of `step.ts`.
 *
 * The pairs stand for themselves, not for their logarithms: where 0 ≤ a ≤ 1 a product of them can only become 0, which
 * is what the steps one by one would make of it too, and a sum is as exact as theirs.
 */
import type { Cell } from "../cells/cell.ts";
import { defineKernel, elementGroups, type Workgroups } from "../../kernels/kernel.ts";
import { segmentParams } from "./lanes.ts";
import { structsPath, constantsOf, formName, type KernelForm, type RecurrentParts } from "./recurrent-kernel.ts";
import { backwardBindings, forwardBindings } from "./step.ts";

/** Columns of a workgroup, a column being a unit of a row; as in shaders/lib/scan.wgsl. */
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

/** Of a cell whose h_t is a⊙h_{t-1} + b, with gates that see neither h_{t-1} nor a c. */
export const scanForward = (cell: Cell, form: KernelForm = {}) => {
  const { gates, h, lengths } = forwardBindings;
  return defineKernel({ ...variant(cell, "forward", form), bindings: { gates, h, lengths } });
};

/** Leaves in `carry` what reaches the segment before, and 0 for the c that there is not. */
export const scanBackward = (cell: Cell, form: KernelForm = {}) => {
  const { gates, h, dy, carry, lengths } = backwardBindings;
  return defineKernel({ ...variant(cell, "backward", form), bindings: { gates, h, dy, carry, lengths } });
};
