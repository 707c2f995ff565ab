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
import { defineKernel, type Arrays, type Binding, type Workgroups } from "./kernel.ts";
import { laneStart, segmentParams, stepAt, type Segment, type Step } from "./recurrent-lanes.ts";

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
export const forwardMatrix = ({ hasPeepholes }: Pick<Cell, "hasPeepholes">, n: number, H: number): number => laneStart(n, (H + (hasPeepholes ? 2 : 1)) * H);
export const backwardMatrix = ({ hasPeepholes }: Pick<Cell, "hasPeepholes">, n: number, H: number): number => laneStart(n, (H + (hasPeepholes ? 1 : 0)) * H);

/** The G numbers of unit number `at`. */
function gatesAt(numbers: NumericArray, at: number, G: number): Gates {
  const gates = new Array<number>(G);
  for (let g = 0; g < G; g++) gates[g] = numbers[at * G + g];
  return gates;
}

/** Peepholes by unit, which are weights from number `first` on; zeros if the cell has none. */
function peepholesOf({ hasPeepholes, gateNames: { length: G } }: Cell, weights: NumericArray, first: number): (unit: number) => Gates {
  const none = new Array<number>(G).fill(0);
  return (unit) => (hasPeepholes ? gatesAt(weights, first + unit, G) : none);
}

/** Name and pipeline constants. */
const variant = (cell: Cell, strategy: string, form: KernelForm) => ({
  name: `${strategy}:${cell.name}${formName(form)}`,
  cell,
  sources: cellSources(cell, strategy, form),
  texts: cellTexts(cell),
  constants: form.stacked ? { ...cell.constants, stacked: 1 } : cell.constants,
  workgroups: stepGroups,
});

/** Σ_k operand_k · (weights from k to a unit's gates) + bias, [B, H, G]: `operand` holds rows of H from `from` on, the matrix is number `matrix`. */
function project(operand: NumericArray, from: number, weights: NumericArray, matrix: number, { B, H }: Segment, G: number): Float64Array {
  const to = new Float64Array(B * H * G);
  for (let row = 0; row < B; row++) {
    for (let unit = 0; unit < H; unit++) {
      for (let g = 0; g < G; g++) {
        let sum = weights[(matrix + H * H + unit) * G + g];
        for (let k = 0; k < H; k++) sum += operand[from + row * H + k] * weights[(matrix + k * H + unit) * G + g];
        to[(row * H + unit) * G + g] = sum;
      }
    }
  }
  return to;
}

/**
 * What the units of a lane make of their pre-activations, [B, H, G] on the recurrent side and on the input's, which may
 * be where the gates go. Weights are as numbers.
 */
export function forwardUnits(
  cell: Cell, { gates, weights, h, c, lengths }: Arrays<typeof forwardBindings>, { B, H }: Segment, lane: number, step: Step, recurrent: NumericArray, input: NumericArray,
): void {
  const G = cell.gateNames.length;
  const peepholes = peepholesOf(cell, weights, forwardMatrix(cell, lane, H) + (H + 1) * H);
  for (let row = 0; row < B; row++) {
    for (let unit = 0; unit < H; unit++) {
      const at = row * H + unit;
      if (step.t >= lengths[row]) {
        h[step.hCurrent + at] = h[step.hPrevious + at];
        if (cell.usesC) c[step.cCurrent + at] = c[step.cPrevious + at];
        continue;
      }
      const out = cell.forward(
        gatesAt(input, at, G), gatesAt(recurrent, at, G), h[step.hPrevious + at], cell.usesC ? c[step.cPrevious + at] : 0, peepholes(unit),
      );
      for (let g = 0; g < G; g++) gates[(step.gates + at) * G + g] = out.gates[g];
      h[step.hCurrent + at] = out.h;
      if (cell.usesC) c[step.cCurrent + at] = out.c;
    }
  }
}

/** @see forwardBindings, and `shaders/recurrent/step-forward.wgsl` */
export const stepForward = (cell: Cell, form: KernelForm = {}) => defineKernel({
  ...variant(cell, "step-forward", form),
  bindings: withWeights(forwardBindings, form),
  params: { ...segmentParams, i: "u32" },
  twin({ weights: packed, ...arrays }, { i, ...segment }) {
    const { lanes, H, steps } = segment;
    const { stacked } = form;
    const G = cell.gateNames.length;
    const weights = weightNumbers(packed, G, form);
    const { gates, h } = arrays;
    for (let lane = 0; lane < lanes; lane++) {
      const own = stacked ? i - lane : i;
      if (own < 0 || own >= steps) continue;
      const step = stepAt(segment, lane, own);
      const recurrent = project(h, step.hPrevious, weights, forwardMatrix(cell, lane, H), segment, G);
      const input = stacked && lane > 0
        ? project(h, stepAt(segment, lane - 1, own).hCurrent, weights, forwardMatrix(cell, lanes + lane - 1, H), segment, G)
        : gates.subarray(step.gates * G);
      forwardUnits(cell, { ...arrays, weights }, segment, lane, step, recurrent, input);
    }
  },
});

/** dh += Σ_k,g (gradient of k's gate g, from unit number `from` on) · (weight from the unit to it, in matrix number `matrix`), [B, H]. */
function projectBack(dGates: NumericArray, from: number, weights: NumericArray, matrix: number, { B, H }: Segment, G: number, dh: Float64Array): void {
  for (let row = 0; row < B; row++) {
    for (let unit = 0; unit < H; unit++) {
      let sum = 0;
      for (let k = 0; k < H; k++) {
        for (let g = 0; g < G; g++) sum += dGates[(from + row * H + k) * G + g] * weights[(matrix + k * H + unit) * G + g];
      }
      dh[row * H + unit] += sum;
    }
  }
}

/** BPTT through the units of a lane: `product` [B, H] reaches h by way of weights, `dy` [B, H] from the output, if there is one. */
export function backwardUnits(
  cell: Cell, { gates, weights, h, c, carry, dRecurrent, lengths }: Omit<Arrays<typeof backwardBindings>, "dy">, { B, H }: Segment, lane: number, step: Step, product: NumericArray, dy?: NumericArray,
): void {
  const G = cell.gateNames.length;
  const peepholes = peepholesOf(cell, weights, backwardMatrix(cell, lane, H) + H * H);
  for (let row = 0; row < B; row++) {
    for (let unit = 0; unit < H; unit++) {
      const at = row * H + unit;
      const saved = (step.gates + at) * G;
      const reach = (laneStart(lane, B * H) + at) * 2;
      const dh = carry[reach] + product[at];
      if (step.t >= lengths[row]) {
        carry[reach] = dh;
        for (let g = 0; g < G; g++) gates[saved + g] = 0;
        if (cell.splitsRecurrentGradient) for (let g = 0; g < G; g++) dRecurrent[saved + g] = 0;
        continue;
      }
      const out = cell.backward(
        gatesAt(gates, step.gates + at, G), h[step.hPrevious + at], h[step.hCurrent + at],
        cell.usesC ? c[step.cPrevious + at] : 0, cell.usesC ? c[step.cCurrent + at] : 0, dh + (dy?.[at] ?? 0), carry[reach + 1],
        peepholes(unit),
      );
      for (let g = 0; g < G; g++) gates[saved + g] = out.dGates[g];
      if (cell.splitsRecurrentGradient) for (let g = 0; g < G; g++) dRecurrent[saved + g] = out.dRecurrent[g];
      carry[reach] = out.dhPrevious;
      carry[reach + 1] = out.dcPrevious;
    }
  }
}

/** What reaches the segment before the first step: `product` [B, H] added to a lane's carry. */
export function addToCarry(carry: NumericArray, { B, H }: Segment, lane: number, product: NumericArray): void {
  for (let at = 0; at < B * H; at++) carry[(laneStart(lane, B * H) + at) * 2] += product[at];
}

/**
 * BPTT of one step; the gradients of the step computed after it reach it by way of U, but for those of the next
 * segment, which `carry` holds. With `tail` 1 (and `i` 0) there is no step: only the product of the segment's first
 * step is added, which leaves in `carry` what reaches the segment before, or ∂L/∂h_0 and ∂L/∂c_0.
 */
export const stepBackward = (cell: Cell, form: KernelForm = {}) => defineKernel({
  ...variant(cell, "step-backward", form),
  bindings: withWeights(backwardBindings, form),
  params: { ...segmentParams, i: "u32", tail: "u32" },
  twin({ weights: packed, dy, ...arrays }, { i, tail, ...segment }) {
    const { lanes, B, H, steps } = segment;
    const { stacked } = form;
    const G = cell.gateNames.length;
    const weights = weightNumbers(packed, G, form);
    const { gates, carry, dRecurrent } = arrays;
    for (let lane = 0; lane < lanes; lane++) {
      const own = stacked && !tail ? i - lane : i;
      if (own < 0 || own >= steps) continue;
      const step = stepAt(segment, lane, own);
      const from = tail ? step.gates : own + 1 < steps ? stepAt(segment, lane, own + 1).gates : undefined;
      const product = new Float64Array(B * H);
      if (from !== undefined) projectBack(cell.splitsRecurrentGradient ? dRecurrent : gates, from, weights, backwardMatrix(cell, lane, H), segment, G, product);
      if (stacked && !tail && lane + 1 < lanes) projectBack(gates, stepAt(segment, lane + 1, own).gates, weights, backwardMatrix(cell, lanes + lane, H), segment, G, product);
      if (tail) {
        addToCarry(carry, segment, lane, product);
        continue;
      }
      const output = !stacked ? dy.subarray(step.dy) : lane + 1 === lanes ? dy.subarray(step.t * B * H) : undefined;
      backwardUnits(cell, { ...arrays, weights }, segment, lane, step, product, output);
    }
  },
});
