/** The loop of `loop.ts` for cells whose candidate needs its own product: two products and two barriers a step. */
import type { Cell } from "../cells/cell.ts";
import { defineKernel } from "../../kernels/kernel.ts";
import { constantsOf, formName, withWeights, type KernelForm, type RecurrentParts } from "./recurrent-kernel.ts";
import { segmentParams } from "./lanes.ts";
import { groupsOf, threadsFor } from "./loop.ts";
import { twoPhaseBackwardBindings, twoPhaseForwardBindings, twoPhaseSources } from "./two-phase.ts";

/** Name and pipeline constants of a two-phase loop. */
const twoPhaseVariant = (cell: Cell, pass: RecurrentParts["pass"], units: number, form: KernelForm) => ({
  name: `loop-two-phase-${pass}:${cell.name}:${threadsFor(units)}x4${formName(form)}`,
  recurrent: { cell, strategy: "loop", pass, form } as const,
  sources: twoPhaseSources(cell, `loop-two-phase-${pass}`, form),
  constants: { ...constantsOf(cell, form), threads: threadsFor(units) },
  workgroups: groupsOf(4),
});

/** The loop for cells whose candidate needs its own product; the twins run those of `two-phase.ts`. */
export const loopTwoPhaseForward = (cell: Cell, units: number, form: KernelForm = {}) =>
  defineKernel({
    ...twoPhaseVariant(cell, "forward", units, form),
    bindings: withWeights(twoPhaseForwardBindings, form),
    params: segmentParams,
  });

export const loopTwoPhaseBackward = (cell: Cell, units: number, form: KernelForm = {}) =>
  defineKernel({
    ...twoPhaseVariant(cell, "backward", units, form),
    bindings: withWeights(twoPhaseBackwardBindings, form),
    params: { ...segmentParams, tail: "u32" },
  });
