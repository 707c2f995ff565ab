/**
 * One time step of a recurrent layer in two dispatches, for cells whose candidate needs its own product (see
 * `TwoPhaseArithmetic` in `cells/arithmetic.ts`). Letters, slots, lengths and carry are those of `step.ts`. `c` holds
 * the candidate's operand of step t at `cCurrent`. The gradient of its weights needs it too: ∂L/∂U_n = Σ_t operand_t ⊗
 * dn_t, while the other gates have Σ_t h_{t-1} ⊗ dgate_t.
 */
import type { Cell } from "../cells/cell.ts";
import { functionsSource } from "../cells/gate-functions.ts";
import { defineKernel } from "../../kernels/kernel.ts";
import {
  structsPath,
  constantsOf,
  formName,
  weightsSource,
  withWeights,
  type KernelForm,
  type Phase,
  type RecurrentParts,
} from "./recurrent-kernel.ts";
import { segmentParams } from "./lanes.ts";
import { forwardBindings, sharedSources, sharedStep, stepGroups } from "./step.ts";

export const twoPhaseForwardBindings = {
  ...forwardBindings,
  c: { access: "read_write", type: "f32", shape: "lanes of [T+1, B, H]: the candidate's operand, 0 where a row has ended" },
} as const;

export const twoPhaseBackwardBindings = {
  gates: { access: "read_write", type: "f32", shape: "lanes of [steps, B, H, G]; in: activated gates, out: their gradient" },
  weights: {
    access: "read",
    type: "f32",
    shape: "lanes of [H, H, G], or with 4 for a G of 3 (`weightWidth`): [k, j] from unit j to the gates of unit k",
  },
  h: { access: "read", type: "f32", shape: "lanes of hBase + [T+1, B, H]" },
  dy: { access: "read", type: "f32", shape: "lanes of [T, B, H], 0 past a row's end" },
  carry: { access: "read_write", type: "f32", shape: "lanes of [B, H, 2]: dh that reaches the step before; what phase 1 wants kept" },
  lengths: { access: "read", type: "u32", shape: "[B]" },
} as const;

const phaseNames = ["first", "second"] as const;

/** The WGSL files of a two-phase cell with those of a strategy. */
export const twoPhaseSources = (cell: Cell, strategy: readonly string[], form: KernelForm): string[] => [
  "lib/activations",
  structsPath,
  "lib/two-phase",
  "lib/phases",
  "lib/lane",
  weightsSource(cell, form),
  ...functionsSource(cell),
  `cells/${cell.shader}`,
  ...strategy,
];

const common = (cell: Cell, phase: Phase, pass: RecurrentParts["pass"], form: KernelForm) => ({
  name: `two-phase-${pass}${form.shared ? "-shared" : ""}:${cell.name}:${phaseNames[phase]}${formName(form)}`,
  recurrent: { cell, strategy: "step", pass, form, phase } as const,
  sources: twoPhaseSources(
    cell,
    form.shared
      ? [...sharedSources(pass, form), `lib/two-phase-${pass}`, `lib/staged-${pass}`, `strategies/two-phase-${pass}-shared`]
      : [`lib/two-phase-${pass}`, `strategies/two-phase-${pass}`],
    form,
  ),
  constants: { ...constantsOf(cell, form), phase, ...(form.shared ? sharedStep(form) : {}) },
  workgroups: stepGroups(form),
});

/** @see twoPhaseForwardBindings, and `shaders/strategies/two-phase-forward.wgsl` */
export const twoPhaseForward = (cell: Cell, phase: Phase, form: KernelForm = {}) =>
  defineKernel({
    ...common(cell, phase, "forward", form),
    bindings: withWeights(twoPhaseForwardBindings, form),
    params: { ...segmentParams, i: "u32" },
  });

/** BPTT of half a step; `i` and `tail` as in `stepBackward` (a tail has no phase 1). */
export const twoPhaseBackward = (cell: Cell, phase: Phase, form: KernelForm = {}) =>
  defineKernel({
    ...common(cell, phase, "backward", form),
    bindings: withWeights(twoPhaseBackwardBindings, form),
    params: { ...segmentParams, i: "u32", tail: "u32" },
  });
