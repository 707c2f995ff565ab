/**
 * One time step of a recurrent layer in one dispatch, forward and backward, for any single-phase cell. Lanes, segments
 * and letters as in recurrent-lanes.ts; `i` counts the steps of the segment in the order of computation.
 *
 * Stacked (the wavefront), the lanes are not directions but layers of H inputs, all forwards: dispatch i computes step
 * i - l of layer l, for T+L-1 dispatches in all, forward with i ascending and backward with i descending. A layer above
 * the first takes its input from the one below, by W behind the lanes' own weights, and gives its gradient back so.
 */
import type { Cell, Gates } from "./cells/cell.ts";
import type { NumericArray } from "../tensor/tensor.ts";
import { fromHalves } from "./half-storage.ts";
import { defineKernel, type Binding, type Workgroups } from "./kernel.ts";
import { laneStart, segmentParams, stepAt } from "./recurrent-lanes.ts";

/** Batch rows that one thread of the step kernels owns. */
const rowsPerThread = 4;
export const stepGroups = ({ lanes, B, H }: { lanes: number; B: number; H: number }): Workgroups => [Math.ceil(H / 64), Math.ceil(B / rowsPerThread), lanes];

export const forwardBindings = {
  gates: { access: "read_write", type: "f32", shape: "lanes of [steps, B, H, G]; in: W·x + b_ih, out: activated gates" },
  weights: { access: "read", type: "f32", shape: "lanes of [H+1, H, G]: from unit k to the gates of unit j; then b_hh, and peepholes if the cell has them; stacked, then so W and b_ih of all layers but the first" },
  h: { access: "read_write", type: "f32", shape: "lanes of hBase + [T+1, B, H]" },
  c: { access: "read_write", type: "f32", shape: "lanes of [T+1, B, H]; unused by cells without c" },
  lengths: { access: "read", type: "u32", shape: "[B]: steps of each row" },
} as const;

export const backwardBindings = {
  gates: { access: "read_write", type: "f32", shape: "lanes of [steps, B, H, G]; in: activated gates, out: their gradient on the input side" },
  weights: { access: "read", type: "f32", shape: "lanes of [H, H, G]: [k, j] from unit j to the gates of unit k, then peepholes if the cell has them; stacked, then so W of all layers but the first" },
  h: { access: "read", type: "f32", shape: "lanes of hBase + [T+1, B, H]" },
  c: { access: "read", type: "f32", shape: "lanes of [T+1, B, H]" },
  dy: { access: "read", type: "f32", shape: "lanes of [T, B, H]; stacked, of the last only" },
  carry: { access: "read_write", type: "f32", shape: "lanes of [B, H, 2]: dh and dc that reach the step before" },
  dRecurrent: { access: "read_write", type: "f32", shape: "lanes of [steps, B, H, G]; unused unless the cell splits it from the input side" },
  lengths: { access: "read", type: "u32", shape: "[B]" },
} as const;

/** What a recurrent kernel may differ in, besides strategy and cell. */
export interface KernelForm {
  /** The lanes are layers. */
  readonly stacked?: boolean;
  /** The weights are pairs of halves, a unit's gates in whole words; see `half-storage.ts`. */
  readonly half?: boolean;
}

/** The ends of kernel names. */
export const formName = ({ stacked, half }: KernelForm): string => `${stacked ? ":stacked" : ""}${half ? ":half" : ""}`;

/** The bindings with weights of this form. */
export const withWeights = <B extends { readonly weights: Binding }>(bindings: B, { half }: KernelForm): B => (
  half ? { ...bindings, weights: { ...bindings.weights, type: "u32" } } : bindings
);

/** The weights as numbers, for twins. */
export const weightNumbers = (weights: NumericArray, G: number, { half }: KernelForm): NumericArray => (half ? fromHalves(weights, G) : weights);

/** The file that reads weights of this form. */
export const weightsSource = ({ half }: KernelForm): string => (half ? "lib/weights-half" : "lib/weights-float");

/** The WGSL files of a strategy joined to a cell. */
export function cellSources(cell: Cell, strategy: string, form: KernelForm): string[] {
  return ["lib/activations", "lib/cell", "lib/lane", weightsSource(form), `cells/${cell.shader}`, `recurrent/${strategy}`];
}

/** The cell's WGSL if it is not a file of the package; see `Kernel`. */
export const cellTexts = ({ shader, wgsl }: Cell): Record<string, string> | undefined => (wgsl === undefined ? undefined : { [`cells/${shader}`]: wgsl });

/** Where a matrix of packed weights begins, in units of G, and where in it a unit's peepholes are. */
export const forwardMatrix = ({ hasPeepholes }: Cell, n: number, H: number): number => laneStart(n, (H + (hasPeepholes ? 2 : 1)) * H);
export const backwardMatrix = ({ hasPeepholes }: Cell, n: number, H: number): number => laneStart(n, (H + (hasPeepholes ? 1 : 0)) * H);

/** A unit's peepholes, which are weights number `at`; zeros if the cell has none. */
function peepholesAt({ hasPeepholes, gateNames: { length: G } }: Cell, weights: NumericArray, at: number): Gates {
  return hasPeepholes ? Array.from(weights.subarray(at * G, (at + 1) * G)) : new Array<number>(G).fill(0);
}

/** Name and pipeline constants. */
const variant = (cell: Cell, strategy: string, form: KernelForm) => ({
  name: `${strategy}:${cell.name}${formName(form)}`,
  sources: cellSources(cell, strategy, form),
  texts: cellTexts(cell),
  constants: form.stacked ? { ...cell.constants, stacked: 1 } : cell.constants,
  workgroups: stepGroups,
});

/** @see forwardBindings, and `shaders/recurrent/step-forward.wgsl` */
export const stepForward = (cell: Cell, form: KernelForm = {}) => defineKernel({
  ...variant(cell, "step-forward", form),
  bindings: withWeights(forwardBindings, form),
  params: { ...segmentParams, i: "u32" },
  twin({ gates, weights: packed, h, c, lengths }, { i, ...segment }) {
    const { lanes, B, H } = segment;
    const { stacked } = form;
    const G = cell.gateNames.length;
    const weights = weightNumbers(packed, G, form);
    const r = new Array<number>(G);
    const x = new Array<number>(G);
    /** Σ_k operand_k · (weights from k to gate g) + bias. */
    const project = (firstWeight: number, from: number, unit: number, to: number[]): void => {
      for (let g = 0; g < G; g++) {
        let sum = weights[firstWeight + (H * H + unit) * G + g];
        for (let k = 0; k < H; k++) sum += h[from + k] * weights[firstWeight + (k * H + unit) * G + g];
        to[g] = sum;
      }
    };
    for (let lane = 0; lane < lanes; lane++) {
      const own = stacked ? i - lane : i;
      if (own < 0 || own >= segment.steps) continue;
      const step = stepAt(segment, lane, own);
      const below = stacked && lane > 0 ? stepAt(segment, lane - 1, own).hCurrent : undefined;
      for (let row = 0; row < B; row++) {
        for (let unit = 0; unit < H; unit++) {
          const at = row * H + unit;
          if (step.t >= lengths[row]) {
            h[step.hCurrent + at] = h[step.hPrevious + at];
            if (cell.usesC) c[step.cCurrent + at] = c[step.cPrevious + at];
            continue;
          }
          project(forwardMatrix(cell, lane, H) * G, step.hPrevious + row * H, unit, r);
          if (below === undefined) for (let g = 0; g < G; g++) x[g] = gates[(step.gates + at) * G + g];
          else project(forwardMatrix(cell, lanes + lane - 1, H) * G, below + row * H, unit, x);
          const out = cell.forward(x, r, h[step.hPrevious + at], cell.usesC ? c[step.cPrevious + at] : 0, peepholesAt(cell, weights, forwardMatrix(cell, lane, H) + (H + 1) * H + unit));
          for (let g = 0; g < G; g++) gates[(step.gates + at) * G + g] = out.gates[g];
          h[step.hCurrent + at] = out.h;
          if (cell.usesC) c[step.cCurrent + at] = out.c;
        }
      }
    }
  },
});

/**
 * BPTT of one step; the gradients of the step computed after it reach it by way of U, but for those of the next
 * segment, which `carry` holds. With `tail` 1 (and `i` 0) there is no step: only the product of the segment's first
 * step is added, which leaves in `carry` what reaches the segment before, or ∂L/∂h_0 and ∂L/∂c_0.
 */
export const stepBackward = (cell: Cell, form: KernelForm = {}) => defineKernel({
  ...variant(cell, "step-backward", form),
  bindings: withWeights(backwardBindings, form),
  params: { ...segmentParams, i: "u32", tail: "u32" },
  twin({ gates, weights: packed, h, c, dy, carry, dRecurrent, lengths }, { i, tail, ...segment }) {
    const { lanes, B, H, steps } = segment;
    const { stacked } = form;
    const G = cell.gateNames.length;
    const weights = weightNumbers(packed, G, form);
    const following = cell.splitsRecurrentGradient ? dRecurrent : gates;
    for (let lane = 0; lane < lanes; lane++) {
      const own = stacked && !tail ? i - lane : i;
      if (own < 0 || own >= steps) continue;
      const step = stepAt(segment, lane, own);
      const from = tail ? step.gates : own + 1 < steps ? stepAt(segment, lane, own + 1).gates : undefined;
      const above = stacked && !tail && lane + 1 < lanes ? stepAt(segment, lane + 1, own).gates : undefined;
      const v = backwardMatrix(cell, lanes + lane, H) * G;
      const w = backwardMatrix(cell, lane, H) * G;
      const carried = laneStart(lane, B * H);
      for (let row = 0; row < B; row++) {
        for (let unit = 0; unit < H; unit++) {
          const at = row * H + unit;
          const reach = (carried + at) * 2;
          let dh = carry[reach];
          if (from !== undefined) {
            for (let k = 0; k < H; k++) {
              for (let g = 0; g < G; g++) dh += following[(from + row * H + k) * G + g] * weights[w + (k * H + unit) * G + g];
            }
          }
          if (above !== undefined) {
            for (let k = 0; k < H; k++) {
              for (let g = 0; g < G; g++) dh += gates[(above + row * H + k) * G + g] * weights[v + (k * H + unit) * G + g];
            }
          }
          if (tail) {
            carry[reach] = dh;
            continue;
          }
          const saved = (step.gates + at) * G;
          if (step.t >= lengths[row]) {
            carry[reach] = dh;
            for (let g = 0; g < G; g++) gates[saved + g] = 0;
            if (cell.splitsRecurrentGradient) for (let g = 0; g < G; g++) dRecurrent[saved + g] = 0;
            continue;
          }
          const fromOutput = !stacked ? dy[step.dy + at] : lane + 1 === lanes ? dy[step.t * B * H + at] : 0;
          const out = cell.backward(
            Array.from(gates.subarray(saved, saved + G)), h[step.hPrevious + at], h[step.hCurrent + at],
            cell.usesC ? c[step.cPrevious + at] : 0, cell.usesC ? c[step.cCurrent + at] : 0, dh + fromOutput, carry[reach + 1],
            peepholesAt(cell, weights, backwardMatrix(cell, lane, H) + H * H + unit),
          );
          for (let g = 0; g < G; g++) gates[saved + g] = out.dGates[g];
          if (cell.splitsRecurrentGradient) for (let g = 0; g < G; g++) dRecurrent[saved + g] = out.dRecurrent[g];
          carry[reach] = out.dhPrevious;
          carry[reach + 1] = out.dcPrevious;
        }
      }
    }
  },
});
