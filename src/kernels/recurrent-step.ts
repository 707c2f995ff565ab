/**
 * One time step of a recurrent layer in one dispatch, forward and backward, for any single-phase cell.
 *
 * Letters: T steps, B batch rows, H units, G gates of the cell. States live in slots: `h` is [T+1, B, H] behind
 * `hBase` elements, slot `previousSlot` holds the state before step t and `currentSlot` the one after it, so the
 * same kernel walks forwards (slots t, t+1) and in reverse (slots t+1, t).
 */
import type { Cell } from "./cells/cell.ts";
import { defineKernel, type Workgroups } from "./kernel.ts";

/** Batch rows that one thread of the step kernels owns. */
const rowsPerThread = 4;
export const stepGroups = ({ B, H }: { B: number; H: number }): Workgroups => [Math.ceil(H / 64), Math.ceil(B / rowsPerThread), 1];

/** Where one step finds its states. */
export interface StepSlots {
  readonly t: number;
  readonly previousSlot: number;
  readonly currentSlot: number;
}

/** The steps in the order they are computed, with the slots of a [T+1, B, H] state buffer they read and write. */
export function walk(T: number, reverse: boolean): StepSlots[] {
  return Array.from({ length: T }, (_, i) => (reverse ? { t: T - 1 - i, previousSlot: T - i, currentSlot: T - 1 - i } : { t: i, previousSlot: i, currentSlot: i + 1 }));
}

/** A step of BPTT: its slots, and the step whose gate gradients reach it. */
export interface BackwardStep extends StepSlots {
  readonly nextT: number;
  readonly hasNext: 0 | 1;
  readonly tail: 0 | 1;
}

/** The steps of BPTT in the order they are computed; with `tail` the product that reaches the initial state comes last. */
export function walkBack(T: number, reverse: boolean, tail: boolean): BackwardStep[] {
  const back = walk(T, reverse).reverse();
  const steps = back.map((step, i): BackwardStep => ({ ...step, nextT: i ? back[i - 1].t : 0, hasNext: i ? 1 : 0, tail: 0 }));
  if (tail) steps.push({ t: 0, previousSlot: 0, currentSlot: 0, nextT: back[T - 1].t, hasNext: 1, tail: 1 });
  return steps;
}

const slots = { B: "u32", H: "u32", t: "u32", previousSlot: "u32", currentSlot: "u32", hBase: "u32" } as const;

export const forwardBindings = {
  gates: { access: "read_write", type: "f32", shape: "[T, B, H, G]; in: W·x + b_ih, out: activated gates" },
  weights: { access: "read", type: "f32", shape: "[H, H, G]: from unit k to the gates of unit j" },
  bias: { access: "read", type: "f32", shape: "[H, G]: b_hh" },
  h: { access: "read_write", type: "f32", shape: "hBase + [T+1, B, H]" },
  c: { access: "read_write", type: "f32", shape: "[T+1, B, H]; unused by cells without c" },
  lengths: { access: "read", type: "u32", shape: "[B]: steps of each row" },
} as const;

export const backwardBindings = {
  gates: { access: "read_write", type: "f32", shape: "[T, B, H, G]; in: activated gates, out: their gradient on the input side" },
  weights: { access: "read", type: "f32", shape: "[H, H, G]: [k, j] from unit j to the gates of unit k" },
  h: { access: "read", type: "f32", shape: "hBase + [T+1, B, H]" },
  c: { access: "read", type: "f32", shape: "[T+1, B, H]" },
  dy: { access: "read", type: "f32", shape: "[T, B, H]" },
  carry: { access: "read_write", type: "f32", shape: "[B, H, 2]: dh and dc that reach the step before" },
  dRecurrent: { access: "read_write", type: "f32", shape: "[T, B, H, G]; unused unless the cell splits it from the input side" },
  lengths: { access: "read", type: "u32", shape: "[B]" },
} as const;

/** The WGSL files of a strategy joined to a cell. */
export function cellSources(cell: Cell, strategy: string): string[] {
  return ["lib/activations", "lib/cell", `cells/${cell.shader}`, `recurrent/${strategy}`];
}

/** @see forwardBindings, and `shaders/recurrent/step-forward.wgsl` */
export const stepForward = (cell: Cell) => defineKernel({
  name: `step-forward:${cell.name}`,
  sources: cellSources(cell, "step-forward"),
  constants: cell.constants,
  bindings: forwardBindings,
  params: slots,
  workgroups: stepGroups,
  twin({ gates, weights, bias, h, c, lengths }, { B, H, t, previousSlot, currentSlot, hBase }) {
    const G = cell.gateNames.length;
    const r = new Array<number>(G);
    const x = new Array<number>(G);
    for (let row = 0; row < B; row++) {
      const slot = hBase + previousSlot * B * H + row * H;
      for (let unit = 0; unit < H; unit++) {
        const previous = (previousSlot * B + row) * H + unit;
        const current = (currentSlot * B + row) * H + unit;
        if (t >= lengths[row]) {
          h[hBase + current] = h[hBase + previous];
          if (cell.usesC) c[current] = c[previous];
          continue;
        }
        const at = ((t * B + row) * H + unit) * G;
        for (let g = 0; g < G; g++) {
          let sum = bias[unit * G + g];
          for (let k = 0; k < H; k++) sum += h[slot + k] * weights[(k * H + unit) * G + g];
          r[g] = sum;
          x[g] = gates[at + g];
        }
        const out = cell.forward(x, r, h[hBase + previous], cell.usesC ? c[previous] : 0);
        for (let g = 0; g < G; g++) gates[at + g] = out.gates[g];
        h[hBase + current] = out.h;
        if (cell.usesC) c[current] = out.c;
      }
    }
  },
});

/**
 * BPTT of one step; `nextT` is the step that came after t (`hasNext` 0 at the last one). With `tail` 1 there is no
 * step t: only the product is added, which leaves ∂L/∂h_0 and ∂L/∂c_0 in `carry`.
 */
export const stepBackward = (cell: Cell) => defineKernel({
  name: `step-backward:${cell.name}`,
  sources: cellSources(cell, "step-backward"),
  constants: cell.constants,
  bindings: backwardBindings,
  params: { ...slots, nextT: "u32", hasNext: "u32", tail: "u32" },
  workgroups: stepGroups,
  twin({ gates, weights, h, c, dy, carry, dRecurrent, lengths }, { B, H, t, previousSlot, currentSlot, hBase, nextT, hasNext, tail }) {
    const G = cell.gateNames.length;
    const next = cell.splitsRecurrentGradient ? dRecurrent : gates;
    for (let row = 0; row < B; row++) {
      for (let unit = 0; unit < H; unit++) {
        const at = row * H + unit;
        let dh = carry[at * 2];
        if (hasNext) {
          const from = (nextT * B + row) * H * G;
          for (let k = 0; k < H; k++) {
            for (let g = 0; g < G; g++) dh += next[from + k * G + g] * weights[(k * H + unit) * G + g];
          }
        }
        if (tail) {
          carry[at * 2] = dh;
          continue;
        }
        const saved = (t * B * H + at) * G;
        if (t >= lengths[row]) {
          carry[at * 2] = dh;
          for (let g = 0; g < G; g++) gates[saved + g] = 0;
          if (cell.splitsRecurrentGradient) for (let g = 0; g < G; g++) dRecurrent[saved + g] = 0;
          continue;
        }
        const previous = previousSlot * B * H + at;
        const current = currentSlot * B * H + at;
        const out = cell.backward(
          Array.from(gates.subarray(saved, saved + G)), h[hBase + previous], h[hBase + current],
          cell.usesC ? c[previous] : 0, cell.usesC ? c[current] : 0, dh + dy[t * B * H + at], carry[at * 2 + 1],
        );
        for (let g = 0; g < G; g++) gates[saved + g] = out.dGates[g];
        if (cell.splitsRecurrentGradient) for (let g = 0; g < G; g++) dRecurrent[saved + g] = out.dRecurrent[g];
        carry[at * 2] = out.dhPrevious;
        carry[at * 2 + 1] = out.dcPrevious;
      }
    }
  },
});
