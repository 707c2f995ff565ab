/** BPTT of one time step in one dispatch; see `step.ts`. Only what differentiates loads it. */
import type { Cell } from "../cells/cell.ts";
import { defineKernel } from "../../kernels/kernel.ts";
import { withWeights, type KernelForm } from "./recurrent-kernel.ts";
import { segmentParams } from "./lanes.ts";
import { stepVariant } from "./step.ts";

export const backwardBindings = {
  gates: {
    access: "read_write",
    type: "f32",
    shape: "lanes of [steps, B, H, G]; in: activated gates, out: their gradient on the input side",
  },
  weights: {
    access: "read",
    type: "f32",
    shape:
      "lanes of [H, H, G], or with 4 for a G of 3: [k, j] from unit j to the gates of unit k, then the units' own parameters; stacked, then W of all layers but the first in the same way",
  },
  h: { access: "read", type: "f32", shape: "lanes of hBase + [T+1, B, H]" },
  c: { access: "read", type: "f32", shape: "lanes of [T+1, states but h, B, H]" },
  dy: { access: "read", type: "f32", shape: "lanes of [T, B, H], 0 past a row's end; stacked, of the last only" },
  carry: { access: "read_write", type: "f32", shape: "lanes of [B, H, states]: dh and dc that reach the step before" },
  dRecurrent: {
    access: "read_write",
    type: "f32",
    shape: "lanes of [steps, B, H, G]; unused unless the cell splits it from the input side",
  },
  lengths: { access: "read", type: "u32", shape: "[B]" },
} as const;

/**
 * BPTT of one step. The gradient of the step computed after it arrives through U; that of the next segment is in
 * `carry`. With `tail` 1 (and `i` 0) there is no step. Only the product of the segment's first step is added, which
 * leaves in `carry` the gradient for the segment before, or ∂L/∂h_0 and ∂L/∂c_0.
 */
export const stepBackward = (cell: Cell, form: KernelForm = {}) =>
  defineKernel({
    ...stepVariant(cell, "backward", form),
    bindings: withWeights(backwardBindings, form),
    params: { ...segmentParams, i: "u32", tail: "u32" },
  });
