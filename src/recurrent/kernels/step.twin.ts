/** The twins of step.ts, and the parts of them that WebAssembly uses for cells of which it has no version. */
import type { NumericArray } from "../../tensor/tensor.ts";
import type { Gates } from "../cells/arithmetic.ts";
import { arithmeticOf, onePhaseCells } from "../cells/all-cells.ts";
import type { Cell } from "../cells/cell.ts";
import { functionOf, usualFunctions } from "../cells/gate-functions.ts";
import { gru } from "../cells/gru.ts";
import { lstm } from "../cells/lstm.ts";
import { carryNumbers, memoryNumbers } from "../cells/memory.ts";
import { readMemory, writeMemory } from "../cells/memory.twin.ts";
import { minGru } from "../cells/min-gru.ts";
import { minLstm } from "../cells/min-lstm.ts";
import { rnnCell, rnnTanh } from "../cells/rnn.ts";
import { slstmCell } from "../cells/slstm.ts";
import { fromHalves } from "../../kernels/half-storage.twin.ts";
import type { Arrays } from "../../kernels/kernel.ts";
import { fanIn, matrixRows, weightWidth, type KernelForm, type RecurrentParts } from "./recurrent-kernel.ts";
import { laneStart, type Segment } from "./lanes.ts";
import { hasStep } from "./lanes.twin.ts";
import { backwardMatrix, firstRead, forwardMatrix } from "./packed-places.ts";
import { stepAt, type StepPlaces } from "./step-places.ts";
import { stepForward, type forwardBindings } from "./step.ts";
import { stepBackward, type backwardBindings } from "./step.backward.ts";
import { withShared, type KernelFamily, type Twin } from "../../kernels/twin.ts";

type Forward = ReturnType<typeof stepForward>;
type Backward = ReturnType<typeof stepBackward>;

/** The weights as numbers. */
export const weightNumbers = (weights: NumericArray, width: number, { half }: KernelForm): NumericArray =>
  half ? fromHalves(weights, width) : weights;

/** The G numbers of unit number `at`, where each unit has `width`. */
function gatesAt(numbers: NumericArray, at: number, G: number, width = G): Gates {
  const gates = new Array<number>(G);
  for (let g = 0; g < G; g++) gates[g] = numbers[at * width + g];
  return gates;
}

/** Reads a unit's own parameters, which begin at `first`, in units of `width`; zeros if the cell has none. */
function perUnitOf(
  { perUnit, gateNames: { length: G } }: Cell,
  weights: NumericArray,
  first: number,
  width: number,
): (unit: number) => Gates {
  const none = new Array<number>(G).fill(0);
  return (unit) => (perUnit ? gatesAt(weights, first + unit, G, width) : none);
}

/**
 * A packed matrix. It begins at `first`, in units of `width`, the numbers of a unit in a row. Each unit reads `read`
 * units. The bias is in row `biasRow`.
 */
interface Matrix {
  readonly weights: NumericArray;
  readonly width: number;
  readonly first: number;
  readonly read: number;
  readonly biasRow?: number;
}

/** Σ_k operand_k · (weights from k to a unit's gates) + bias, [B, H, G]: `operand` holds rows of H from `from` on. */
function project(
  operand: NumericArray,
  from: number,
  { weights, width, first, read, biasRow }: Matrix,
  { B, H }: Segment,
  G: number,
): Float64Array {
  const to = new Float64Array(B * H * G);
  for (let row = 0; row < B; row++) {
    for (let unit = 0; unit < H; unit++) {
      for (let g = 0; g < G; g++) {
        let sum = biasRow === undefined ? 0 : weights[(first + biasRow * H + unit) * width + g];
        const at = from + row * H + firstRead(unit, read);
        for (let k = 0; k < read; k++) sum += operand[at + k] * weights[(first + k * H + unit) * width + g];
        to[(row * H + unit) * G + g] = sum;
      }
    }
  }
  return to;
}

/**
 * Computes the units of a lane from their pre-activations, [B, H, G] on the recurrent side and on the input side.
 * `input` may lie where the gates go. Weights are numbers, not halves.
 */
export function forwardUnits(
  cell: Cell,
  { gates, weights, h, c, lengths }: Arrays<typeof forwardBindings>,
  { B, H }: Segment,
  lane: number,
  step: StepPlaces,
  recurrent: NumericArray,
  input: NumericArray,
  form: KernelForm,
): void {
  const G = cell.gateNames.length;
  const arithmetic = arithmeticOf(cell);
  const perUnit = perUnitOf(cell, weights, forwardMatrix(cell, lane, H, form) + (matrixRows(cell, H, form) + 1) * H, weightWidth(G, form));
  for (let row = 0; row < B; row++) {
    for (let unit = 0; unit < H; unit++) {
      const at = row * H + unit;
      if (!hasStep(lengths, row, step.t)) {
        h[step.hCurrent + at] = h[step.hPrevious + at];
        writeMemory(cell, c, step.cCurrent + at, B * H, readMemory(cell, c, step.cPrevious + at, B * H));
        continue;
      }
      const out = arithmetic.forward(
        gatesAt(input, at, G),
        gatesAt(recurrent, at, G),
        h[step.hPrevious + at],
        readMemory(cell, c, step.cPrevious + at, B * H),
        perUnit(unit),
      );
      for (let g = 0; g < G; g++) gates[(step.gates + at) * G + g] = out.gates[g];
      h[step.hCurrent + at] = out.h;
      writeMemory(cell, c, step.cCurrent + at, B * H, out.c);
    }
  }
}

/** The twin of one step forward. */
export const stepForwardTwin =
  ({ cell, form }: RecurrentParts): Twin<Forward["bindings"], Forward["params"]> =>
  ({ weights: packed, ...arrays }, { i, ...segment }) => {
    const { lanes, H, steps } = segment;
    const { stacked } = form;
    const G = cell.gateNames.length;
    const width = weightWidth(G, form);
    const weights = weightNumbers(packed, width, form);
    const { gates, h } = arrays;
    for (let lane = 0; lane < lanes; lane++) {
      const own = stacked ? i - lane : i;
      if (own < 0 || own >= steps) continue;
      const step = stepAt(segment, lane, own, memoryNumbers(cell));
      const ofStates = { weights, width, first: forwardMatrix(cell, lane, H, form), read: fanIn(cell, H, form) };
      const biasRow = cell.recurrence === "none" ? undefined : matrixRows(cell, H, form);
      const recurrent = project(h, step.hPrevious, { ...ofStates, biasRow }, segment, G);
      const ofInput = { weights, width, first: forwardMatrix(cell, lanes + lane - 1, H, form), read: H, biasRow: H };
      const input =
        stacked && lane > 0 ? project(h, stepAt(segment, lane - 1, own).hCurrent, ofInput, segment, G) : gates.subarray(step.gates * G);
      forwardUnits(cell, { ...arrays, weights }, segment, lane, step, recurrent, input, form);
    }
  };

/** dh += Σ_k,g (gradient of k's gate g, from unit number `from` on) · (weight from the unit to it), [B, H]. */
function projectBack(
  dGates: NumericArray,
  from: number,
  { weights, width, first, read }: Matrix,
  { B, H }: Segment,
  G: number,
  dh: Float64Array,
): void {
  for (let row = 0; row < B; row++) {
    for (let unit = 0; unit < H; unit++) {
      let sum = 0;
      const at = from + row * H + firstRead(unit, read);
      for (let k = 0; k < read; k++) {
        for (let g = 0; g < G; g++) sum += dGates[(at + k) * G + g] * weights[(first + k * H + unit) * width + g];
      }
      dh[row * H + unit] += sum;
    }
  }
}

/**
 * BPTT through the units of a lane. `product` [B, H] is the gradient of h that comes through weights; `dy` [B, H] is
 * that of the output, if there is one.
 */
export function backwardUnits(
  cell: Cell,
  { gates, weights, h, c, carry, dRecurrent, lengths }: Omit<Arrays<typeof backwardBindings>, "dy">,
  { B, H }: Segment,
  lane: number,
  step: StepPlaces,
  product: NumericArray,
  dy: NumericArray | undefined,
  form: KernelForm,
): void {
  const G = cell.gateNames.length;
  const arithmetic = arithmeticOf(cell);
  const carried = { ...cell, usesC: true };
  const perUnit = perUnitOf(cell, weights, backwardMatrix(cell, lane, H, form) + matrixRows(cell, H, form) * H, weightWidth(G, form));
  for (let row = 0; row < B; row++) {
    for (let unit = 0; unit < H; unit++) {
      const at = row * H + unit;
      const saved = (step.gates + at) * G;
      const reach = (laneStart(lane, B * H) + at) * carryNumbers(cell);
      const dh = carry[reach] + product[at] + (dy?.[at] ?? 0);
      if (!hasStep(lengths, row, step.t)) {
        carry[reach] = dh;
        for (let g = 0; g < G; g++) gates[saved + g] = 0;
        if (cell.splitsRecurrentGradient) for (let g = 0; g < G; g++) dRecurrent[saved + g] = 0;
        continue;
      }
      const out = arithmetic.backward(
        gatesAt(gates, step.gates + at, G),
        h[step.hPrevious + at],
        h[step.hCurrent + at],
        readMemory(cell, c, step.cPrevious + at, B * H),
        readMemory(cell, c, step.cCurrent + at, B * H),
        dh,
        readMemory(carried, carry, reach + 1, 1),
        perUnit(unit),
      );
      for (let g = 0; g < G; g++) gates[saved + g] = out.dGates[g];
      if (cell.splitsRecurrentGradient) for (let g = 0; g < G; g++) dRecurrent[saved + g] = out.dRecurrent[g];
      carry[reach] = out.dhPrevious;
      writeMemory(carried, carry, reach + 1, 1, out.dcPrevious);
    }
  }
}

/** Adds `product` [B, H] to a lane's carry, for the segment before. */
export function addToCarry(cell: Cell, carry: NumericArray, { B, H }: Segment, lane: number, product: NumericArray): void {
  for (let at = 0; at < B * H; at++) carry[(laneStart(lane, B * H) + at) * carryNumbers(cell)] += product[at];
}

/** The twin of one step of BPTT. */
export const stepBackwardTwin =
  ({ cell, form }: RecurrentParts): Twin<Backward["bindings"], Backward["params"]> =>
  ({ weights: packed, dy, ...arrays }, { i, tail, ...segment }) => {
    const { lanes, B, H, steps } = segment;
    const { stacked } = form;
    const G = cell.gateNames.length;
    const width = weightWidth(G, form);
    const weights = weightNumbers(packed, width, form);
    const { gates, carry, dRecurrent } = arrays;
    for (let lane = 0; lane < lanes; lane++) {
      const own = stacked && !tail ? i - lane : i;
      if (own < 0 || own >= steps) continue;
      const step = stepAt(segment, lane, own, memoryNumbers(cell));
      const from = tail ? step.gates : own + 1 < steps ? stepAt(segment, lane, own + 1).gates : undefined;
      const product = new Float64Array(B * H);
      const ofStates = { weights, width, first: backwardMatrix(cell, lane, H, form), read: fanIn(cell, H, form) };
      if (from !== undefined) projectBack(cell.splitsRecurrentGradient ? dRecurrent : gates, from, ofStates, segment, G, product);
      const ofInput = { weights, width, first: backwardMatrix(cell, lanes + lane, H, form), read: H };
      if (stacked && !tail && lane + 1 < lanes) projectBack(gates, stepAt(segment, lane + 1, own).gates, ofInput, segment, G, product);
      if (tail) {
        addToCarry(cell, carry, segment, lane, product);
        continue;
      }
      const output = !stacked ? dy.subarray(step.dy) : lane + 1 === lanes ? dy.subarray(step.t * B * H) : undefined;
      backwardUnits(cell, { ...arrays, weights }, segment, lane, step, product, output, form);
    }
  };

const slstm = slstmCell("sigmoid");
/** Functions that no listed cell has. */
const otherFunctions = [functionOf("Sigmoid"), functionOf("Affine", 0.8, -0.1), functionOf("ThresholdedRelu", 0.3)];

export const stepFamily: KernelFamily = {
  twins: [...withShared<Forward>("step-forward", stepForwardTwin), ...withShared<Backward>("step-backward", stepBackwardTwin)],
  variants: () => [
    ...onePhaseCells.flatMap((cell) => [stepForward(cell), stepBackward(cell)]),
    ...otherFunctions
      .map((candidate) => rnnCell({ ...usualFunctions, candidate }))
      .flatMap((cell) => [stepForward(cell), stepBackward(cell)]),
    // As GPUs run them, with 1, 3 and 4 gates.
    ...[rnnTanh, gru, lstm].flatMap((cell) => [stepForward(cell, { shared: 256 }), stepBackward(cell, { shared: 256 })]),
    // Eight rows read the weights of 1, 3 and 4 gates.
    stepForward(rnnTanh, { shared: 256, rows: 8 }),
    stepForward(gru, { shared: 256, rows: 8 }),
    stepBackward(lstm, { shared: 256, rows: 8 }),
    stepBackward(gru, { stacked: true, half: true, shared: 256, rows: 8 }),
    stepForward(lstm, { stacked: true, shared: 256 }),
    stepBackward(gru, { stacked: true, half: true, shared: 256 }),
    stepForward(gru, { stacked: true }),
    stepBackward(gru, { stacked: true }),
    stepForward(lstm, { stacked: true, half: true }),
    stepBackward(lstm, { stacked: true, half: true }),
    stepForward(rnnTanh, { half: true, gaps: true }),
    stepBackward(gru, { half: true, gaps: true }),
    // Without a recurrent matrix, and with blocks of one.
    ...[minGru, minLstm].flatMap((cell) => [stepForward(cell), stepBackward(cell)]),
    stepForward(slstm, { heads: 3 }),
    stepBackward(slstm, { heads: 3 }),
    stepForward(slstm, { heads: 3, stacked: true }),
    stepBackward(slstm, { heads: 3, stacked: true }),
  ],
};
