/**
 * One time step of a recurrent layer in two dispatches, for cells whose candidate needs a product of its own (see
 * `cells/two-phase-cell.ts`). Letters, slots, lengths and carry are those of `recurrent-step.ts`; `c` holds the
 * candidate's operand of step t in `currentSlot`, which is also what the gradient of its weights needs:
 * ∂L/∂U_n = Σ_t operand_t ⊗ dn_t, where the other gates have Σ_t h_{t-1} ⊗ dgate_t.
 */
import type { TwoPhaseCell } from "./cells/two-phase-cell.ts";
import { defineKernel } from "./kernel.ts";
import { laneStart, segmentParams, stepAt } from "./recurrent-lanes.ts";
import { formName, forwardBindings, stepGroups, weightNumbers, weightsSource, withWeights, type KernelForm } from "./recurrent-step.ts";

export const twoPhaseForwardBindings = {
  ...forwardBindings,
  c: { access: "read_write", type: "f32", shape: "lanes of [T+1, B, H]: the candidate's operand, 0 where a row has ended" },
} as const;

export const twoPhaseBackwardBindings = {
  gates: { access: "read_write", type: "f32", shape: "lanes of [steps, B, H, G]; in: activated gates, out: their gradient" },
  weights: { access: "read", type: "f32", shape: "lanes of [H, H, G]: [k, j] from unit j to the gates of unit k" },
  h: { access: "read", type: "f32", shape: "lanes of hBase + [T+1, B, H]" },
  dy: { access: "read", type: "f32", shape: "lanes of [T, B, H]" },
  carry: { access: "read_write", type: "f32", shape: "lanes of [B, H, 2]: dh that reaches the step before; what phase 1 wants kept" },
  lengths: { access: "read", type: "u32", shape: "[B]" },
} as const;

export type Phase = 0 | 1;
const phaseNames = ["first", "second"] as const;

/** The WGSL files of a strategy joined to a two-phase cell. */
export const twoPhaseSources = (cell: TwoPhaseCell, strategy: string, form: KernelForm): string[] => ["lib/activations", "lib/two-phase", "lib/lane", weightsSource(form), `cells/${cell.shader}`, `recurrent/${strategy}`];

const common = (cell: TwoPhaseCell, phase: Phase, strategy: string, form: KernelForm) => ({
  name: `${strategy}:${cell.name}:${phaseNames[phase]}${formName(form)}`,
  cell,
  sources: twoPhaseSources(cell, strategy, form),
  constants: { ...cell.constants, phase },
  workgroups: stepGroups,
});

/** @see twoPhaseForwardBindings, and `shaders/recurrent/two-phase-forward.wgsl` */
export const twoPhaseForward = (cell: TwoPhaseCell, phase: Phase, form: KernelForm = {}) => defineKernel({
  ...common(cell, phase, "two-phase-forward", form),
  bindings: withWeights(twoPhaseForwardBindings, form),
  params: { ...segmentParams, i: "u32" },
  twin({ gates, weights: packed, h, c, lengths }, { i, ...segment }) {
    const { lanes, B, H } = segment;
    const G = cell.gateNames.length;
    const weights = weightNumbers(packed, G, form);
    const recurrent = new Array<number>(G);
    for (let lane = 0; lane < lanes; lane++) {
      const step = stepAt(segment, lane, i);
      const w = laneStart(lane, (H + 1) * H) * G;
      const [operand, from] = phase === 0 ? [h, step.hPrevious] : [c, step.cCurrent];
      for (let row = 0; row < B; row++) {
        for (let unit = 0; unit < H; unit++) {
          const at = row * H + unit;
          if (step.t >= lengths[row]) {
            if (phase === 0) c[step.cCurrent + at] = 0;
            else h[step.hCurrent + at] = h[step.hPrevious + at];
            continue;
          }
          for (let g = 0; g < G; g++) {
            let sum = weights[w + (H * H + unit) * G + g];
            if (cell.gatePhases[g] === phase) for (let k = 0; k < H; k++) sum += operand[from + row * H + k] * weights[w + (k * H + unit) * G + g];
            recurrent[g] = sum;
          }
          const saved = (step.gates + at) * G;
          const x = Array.from(gates.subarray(saved, saved + G));
          if (phase === 0) {
            const out = cell.firstForward(x, recurrent, h[step.hPrevious + at]);
            gates.set(out.gates, saved);
            c[step.cCurrent + at] = out.operand;
          } else {
            const out = cell.secondForward(x, recurrent, h[step.hPrevious + at]);
            gates.set(out.gates, saved);
            h[step.hCurrent + at] = out.h;
          }
        }
      }
    }
  },
});

/** BPTT of half a step; `i` and `tail` as in `stepBackward` (a tail has no phase 1). */
export const twoPhaseBackward = (cell: TwoPhaseCell, phase: Phase, form: KernelForm = {}) => defineKernel({
  ...common(cell, phase, "two-phase-backward", form),
  bindings: withWeights(twoPhaseBackwardBindings, form),
  params: { ...segmentParams, i: "u32", tail: "u32" },
  twin({ gates, weights: packed, h, dy, carry, lengths }, { i, tail, ...segment }) {
    const { lanes, B, H, steps } = segment;
    const G = cell.gateNames.length;
    const weights = weightNumbers(packed, G, form);
    for (let lane = 0; lane < lanes; lane++) {
      const step = stepAt(segment, lane, i);
      const w = laneStart(lane, H * H) * G;
      const carried = laneStart(lane, B * H);
      const from = phase === 1 || tail ? step.gates : i + 1 < steps ? stepAt(segment, lane, i + 1).gates : undefined;
      for (let row = 0; row < B; row++) {
        for (let unit = 0; unit < H; unit++) {
          const at = row * H + unit;
          let product = 0;
          if (from !== undefined) {
            for (let k = 0; k < H; k++) {
              for (let g = 0; g < G; g++) {
                if (cell.gatePhases[g] === phase) product += gates[(from + row * H + k) * G + g] * weights[w + (k * H + unit) * G + g];
              }
            }
          }
          const saved = (step.gates + at) * G;
          const reach = (carried + at) * 2;
          const hPrevious = h[step.hPrevious + at];
          const active = step.t < lengths[row];
          if (phase === 1) {
            if (!active) continue;
            const out = cell.secondBackward(Array.from(gates.subarray(saved, saved + G)), hPrevious, product, carry[reach + 1]);
            gates.set(out.gates, saved);
            carry[reach] += out.dhPrevious;
            carry[reach + 1] = 0;
            continue;
          }
          const dh = product + carry[reach];
          if (tail || !active) {
            carry[reach] = dh;
            if (!tail) gates.fill(0, saved, saved + G);
            continue;
          }
          const out = cell.firstBackward(Array.from(gates.subarray(saved, saved + G)), hPrevious, dh + dy[step.dy + at]);
          gates.set(out.gates, saved);
          carry[reach] = out.dhPrevious;
          carry[reach + 1] = out.kept;
        }
      }
    }
  },
});
