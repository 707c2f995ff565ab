/** The loop of `loop.ts` for cells whose candidate needs its own product: two products and two barriers a step. */
import type { Cell } from "../cells/cell.ts";
import { defineKernel } from "../../kernels/kernel.ts";
import { constantsOf, formName, withWeights, type KernelForm, type RecurrentParts } from "./recurrent-kernel.ts";
import { segmentParams } from "./lanes.ts";
import { groupsOf, sharedGroup, sharesSums, threadsFor } from "./loop.ts";
import { sharedSources } from "./step.ts";
import { twoPhaseBackwardBindings, twoPhaseForwardBindings, twoPhaseSources } from "./two-phase.ts";

/** A workgroup whose threads own a unit each. */
const plainGroup = (units: number) =>
  ({ size: `${threadsFor(units)}x4`, rows: 4, holds: false, constants: { threads: threadsFor(units) } }) as const;

/** Name and pipeline constants of a two-phase loop. */
function twoPhaseVariant(cell: Cell, pass: RecurrentParts["pass"], units: number, batch: number, form: KernelForm) {
  const { size, constants, ...group } = sharesSums(form) ? sharedGroup(units, batch, cell.gateNames.length, form) : plainGroup(units);
  const stem = `loop-two-phase-${pass}`;
  const strategy = `${stem}${form.shared ? "-shared" : ""}`;
  return {
    name: `${strategy}:${cell.name}:${size}${formName(form)}`,
    recurrent: { cell, strategy: "loop", pass, form } as const,
    sources: twoPhaseSources(cell, [...(form.shared ? sharedSources(pass, group) : []), `lib/${stem}`, `strategies/${strategy}`], form),
    constants: { ...constantsOf(cell, form), ...constants },
    workgroups: groupsOf(group.rows),
  };
}

/** The loop for cells whose candidate needs its own product; the twins run those of `two-phase.ts`. */
export const loopTwoPhaseForward = (cell: Cell, units: number, batch: number, form: KernelForm = {}) =>
  defineKernel({
    ...twoPhaseVariant(cell, "forward", units, batch, form),
    bindings: withWeights(twoPhaseForwardBindings, form),
    params: segmentParams,
  });

export const loopTwoPhaseBackward = (cell: Cell, units: number, batch: number, form: KernelForm = {}) =>
  defineKernel({
    ...twoPhaseVariant(cell, "backward", units, batch, form),
    bindings: withWeights(twoPhaseBackwardBindings, form),
    params: { ...segmentParams, tail: "u32" },
  });
