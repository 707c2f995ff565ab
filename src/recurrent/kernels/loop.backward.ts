/** BPTT of all time steps in one dispatch; see `loop.ts`. Only what differentiates loads it. */
import type { Cell } from "../cells/cell.ts";
import { defineKernel } from "../../kernels/kernel.ts";
import { segmentParams } from "./lanes.ts";
import { loopVariant } from "./loop.ts";
import { withWeights, type KernelForm } from "./recurrent-kernel.ts";
import { backwardBindings } from "./step.backward.ts";

/** With `tail` 1, the loop ends with the product that leaves the gradient for the segment before in `carry`. */
export const loopBackward = (cell: Cell, units: number, batch: number, form: KernelForm = {}) =>
  defineKernel({
    ...loopVariant(cell, "backward", units, batch, form),
    bindings: withWeights(backwardBindings, form),
    params: { ...segmentParams, tail: "u32" },
  });
