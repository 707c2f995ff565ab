/**
 * One time step of a recurrent layer in two dispatches, for cells whose candidate needs a product of its own (see
 * `cells/two-phase-cell.ts`). Letters, slots, lengths and carry are those of `recurrent-step.ts`; `c` holds the
 * candidate's operand of step t in `currentSlot`, which is also what the gradient of its weights needs:
 * ∂L/∂U_n = Σ_t operand_t ⊗ dn_t, where the other gates have Σ_t h_{t-1} ⊗ dgate_t.
 */
import type { TwoPhaseCell } from "./cells/two-phase-cell.ts";
import { defineKernel } from "./kernel.ts";
import { stepGroups } from "./recurrent-step.ts";

const slots = { B: "u32", H: "u32", t: "u32", previousSlot: "u32", currentSlot: "u32", hBase: "u32" } as const;

export const twoPhaseForwardBindings = {
  gates: { access: "read_write", type: "f32", shape: "[T, B, H, G]; in: W·x + b_ih, out: activated gates" },
  weights: { access: "read", type: "f32", shape: "[H, H, G]: from unit k to the gates of unit j" },
  bias: { access: "read", type: "f32", shape: "[H, G]: b_hh" },
  h: { access: "read_write", type: "f32", shape: "hBase + [T+1, B, H]" },
  c: { access: "read_write", type: "f32", shape: "[T+1, B, H]: the candidate's operand, 0 where a row has ended" },
  lengths: { access: "read", type: "u32", shape: "[B]: steps of each row" },
} as const;

export const twoPhaseBackwardBindings = {
  gates: { access: "read_write", type: "f32", shape: "[T, B, H, G]; in: activated gates, out: their gradient" },
  weights: { access: "read", type: "f32", shape: "[H, H, G]: [k, j] from unit j to the gates of unit k" },
  h: { access: "read", type: "f32", shape: "hBase + [T+1, B, H]" },
  dy: { access: "read", type: "f32", shape: "[T, B, H]" },
  carry: { access: "read_write", type: "f32", shape: "[B, H, 2]: dh that reaches the step before; what phase 1 wants kept" },
  lengths: { access: "read", type: "u32", shape: "[B]" },
} as const;

export type Phase = 0 | 1;
const phaseNames = ["first", "second"] as const;

/** The WGSL files of a strategy joined to a two-phase cell. */
export const twoPhaseSources = (cell: TwoPhaseCell, strategy: string): string[] => ["lib/activations", "lib/two-phase", `cells/${cell.shader}`, `recurrent/${strategy}`];

const common = (cell: TwoPhaseCell, phase: Phase, strategy: string) => ({
  name: `${strategy}:${cell.name}:${phaseNames[phase]}`,
  sources: twoPhaseSources(cell, strategy),
  constants: { ...cell.constants, phase },
  workgroups: stepGroups,
});

/** @see twoPhaseForwardBindings, and `shaders/recurrent/two-phase-forward.wgsl` */
export const twoPhaseForward = (cell: TwoPhaseCell, phase: Phase) => defineKernel({
  ...common(cell, phase, "two-phase-forward"),
  bindings: twoPhaseForwardBindings,
  params: slots,
  twin({ gates, weights, bias, h, c, lengths }, { B, H, t, previousSlot, currentSlot, hBase }) {
    const G = cell.gateNames.length;
    const recurrent = new Array<number>(G);
    for (let row = 0; row < B; row++) {
      for (let unit = 0; unit < H; unit++) {
        const previous = hBase + (previousSlot * B + row) * H + unit;
        const current = (currentSlot * B + row) * H + unit;
        if (t >= lengths[row]) {
          if (phase === 0) c[current] = 0;
          else h[hBase + current] = h[previous];
          continue;
        }
        const operand = phase === 0 ? h : c;
        const from = phase === 0 ? previous - unit : current - unit;
        for (let g = 0; g < G; g++) {
          let sum = bias[unit * G + g];
          if (cell.gatePhases[g] === phase) for (let k = 0; k < H; k++) sum += operand[from + k] * weights[(k * H + unit) * G + g];
          recurrent[g] = sum;
        }
        const at = ((t * B + row) * H + unit) * G;
        const x = Array.from(gates.subarray(at, at + G));
        if (phase === 0) {
          const out = cell.firstForward(x, recurrent, h[previous]);
          gates.set(out.gates, at);
          c[current] = out.operand;
        } else {
          const out = cell.secondForward(x, recurrent, h[previous]);
          gates.set(out.gates, at);
          h[hBase + current] = out.h;
        }
      }
    }
  },
});

/**
 * BPTT of half a step; `nextT`, `hasNext` and `tail` as in `stepBackward`, and for phase 0 only (a tail has no
 * phase 1).
 */
export const twoPhaseBackward = (cell: TwoPhaseCell, phase: Phase) => defineKernel({
  ...common(cell, phase, "two-phase-backward"),
  bindings: twoPhaseBackwardBindings,
  params: { ...slots, nextT: "u32", hasNext: "u32", tail: "u32" },
  twin({ gates, weights, h, dy, carry, lengths }, { B, H, t, previousSlot, hBase, nextT, hasNext, tail }) {
    const G = cell.gateNames.length;
    for (let row = 0; row < B; row++) {
      for (let unit = 0; unit < H; unit++) {
        let product = 0;
        if (phase === 1 || hasNext) {
          const from = ((phase === 0 ? nextT : t) * B + row) * H * G;
          for (let k = 0; k < H; k++) {
            for (let g = 0; g < G; g++) {
              if (cell.gatePhases[g] === phase) product += gates[from + k * G + g] * weights[(k * H + unit) * G + g];
            }
          }
        }
        const at = row * H + unit;
        const saved = (t * B * H + at) * G;
        const hPrevious = h[hBase + previousSlot * B * H + at];
        const active = t < lengths[row];
        if (phase === 1) {
          if (!active) continue;
          const out = cell.secondBackward(Array.from(gates.subarray(saved, saved + G)), hPrevious, product, carry[at * 2 + 1]);
          gates.set(out.gates, saved);
          carry[at * 2] += out.dhPrevious;
          carry[at * 2 + 1] = 0;
          continue;
        }
        const dh = product + carry[at * 2];
        if (tail || !active) {
          carry[at * 2] = dh;
          if (!tail) gates.fill(0, saved, saved + G);
          continue;
        }
        const out = cell.firstBackward(Array.from(gates.subarray(saved, saved + G)), hPrevious, dh + dy[t * B * H + at]);
        gates.set(out.gates, saved);
        carry[at * 2] = out.dhPrevious;
        carry[at * 2 + 1] = out.kept;
      }
    }
  },
});
