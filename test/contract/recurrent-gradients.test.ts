// BPTT of every cell against finite differences of its own forward pass, in float64, kernel by kernel: rows of
// different lengths and rows with gaps, both directions, and gradients of the loss Σ h_t·dy_t + h_N·dh_N + c_N·dc_N.
import { beforeEach, describe, expect, it } from "vitest";
import { phasesOf, type Cell } from "../../src/recurrent/cells/cell.ts";
import { functionOf, usualFunctions } from "../../src/recurrent/cells/gate-functions.ts";
import { gruResetBeforeCell } from "../../src/recurrent/cells/gru-reset-before.ts";
import { gruCell } from "../../src/recurrent/cells/gru.ts";
import { lstmCell } from "../../src/recurrent/cells/lstm.ts";
import { rnnCell } from "../../src/recurrent/cells/rnn.ts";
import { carryNumbers, memoryNumbers } from "../../src/recurrent/cells/memory.ts";
import type { Kernel } from "../../src/kernels/kernel.ts";
import { gatesSeeing, perUnitGradient } from "../../src/recurrent/kernels/per-unit-gradient.ts";
import { lengthsOfMask } from "../../src/recurrent/kernels/lanes.ts";
import { randomUniforms } from "../../src/kernels/philox.ts";
import { stepForward } from "../../src/recurrent/kernels/step.ts";
import { stepBackward } from "../../src/recurrent/kernels/step.backward.ts";
import { twoPhaseBackward, twoPhaseForward } from "../../src/recurrent/kernels/two-phase.ts";
import { onePhaseCells as cells, twoPhaseCells } from "../../src/recurrent/cells/all-cells.ts";
import { twinOf } from "../../src/backend/all-twins.ts";

const [T, B, H] = [4, 3, 5];
const lengths = Uint32Array.of(4, 1, 3);
/** Rows that lack the first step, all steps but one, and one in the middle. */
const gaps = lengthsOfMask({ shape: [T, B], data: Uint32Array.of(0, 0, 1, 1, 0, 0, 0, 1, 1, 1, 0, 1) });
const rowsOf = { lengths, gaps };
type Rows = keyof typeof rowsOf;
let stream = 0;
/** The numbers of a test follow from its name, so that a further cell does not change those of the others. */
beforeEach(({ task }) => {
  stream = Array.from(`${task.suite?.name} ${task.name}`, (letter) => letter.charCodeAt(0)).reduce((a, b) => Math.imul(a, 31) + b, 7) >>> 8;
});
const numbers = (count: number, scale = 1): Float64Array => randomUniforms(3, stream++, count).map((u) => (2 * u - 1) * scale);

/** The inputs of a layer's forward pass; `x` is W·x_t + b_ih, gates of a unit side by side. */
interface Inputs {
  x: Float64Array;
  /** [k, j, g]: from unit k to gate g of unit j. */
  weights: Float64Array;
  bias: Float64Array;
  /** [j, g]; of no effect in a cell without. */
  perUnit: Float64Array;
  h0: Float64Array;
  c0: Float64Array;
}

/** Initial states besides h; several may be divided by, and are above 0. */
const memoryOf = (cell: Cell): Float64Array => numbers(memoryNumbers(cell) * B * H).map((v) => (memoryNumbers(cell) > 1 ? 1 + v / 2 : v));

const segmentOf = (reverse: boolean) => ({ lanes: 1, T, B, H, reverse: reverse ? 1 : 0, hBase: 0, first: 0, steps: T });
const stepsOf = (reverse: boolean) =>
  Array.from({ length: T }, (_, i) =>
    reverse ? { t: T - 1 - i, previousSlot: T - i, currentSlot: T - 1 - i } : { t: i, previousSlot: i, currentSlot: i + 1 },
  );

/** The twins of a step's phases: `forward` asks for them thousands of times. */
const forwardTwins = new Map<Cell, readonly ReturnType<typeof twinOf>[]>();
function forwardTwinsOf(cell: Cell): readonly ReturnType<typeof twinOf>[] {
  let found = forwardTwins.get(cell);
  if (!found) {
    const kernels: readonly Kernel[] = phasesOf(cell) === 2 ? [twoPhaseForward(cell, 0), twoPhaseForward(cell, 1)] : [stepForward(cell)];
    forwardTwins.set(cell, (found = kernels.map((kernel) => twinOf(kernel))));
  }
  return found;
}

/** The lists, one after the other. */
function joined(...lists: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(lists.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const list of lists) {
    all.set(list, at);
    at += list.length;
  }
  return all;
}

function forward(cell: Cell, reverse: boolean, rows: Rows, { x, weights, bias, perUnit, h0, c0 }: Inputs) {
  const gates = x.slice();
  const h = new Float64Array((T + 1) * B * H);
  const S = memoryNumbers(cell);
  const c = new Float64Array((T + 1) * S * B * H);
  const first = reverse ? T : 0;
  h.set(h0, first * B * H);
  if (cell.states.length > 0) c.set(c0, first * S * B * H);
  const arrays = { gates, weights: joined(weights, bias, perUnit), h, c, lengths: rowsOf[rows] };
  for (let i = 0; i < T; i++) for (const twin of forwardTwinsOf(cell)) twin(arrays, { ...segmentOf(reverse), i });
  return { gates, h, c };
}

/** The loss, and the sum of its terms' sizes, of which rounding is a part. */
function lossOf(
  cell: Cell,
  reverse: boolean,
  rows: Rows,
  inputs: Inputs,
  cotangents: { dy: Float64Array; dhN: Float64Array; dcN: Float64Array },
): { loss: number; size: number } {
  const { h, c } = forward(cell, reverse, rows, inputs);
  const last = (reverse ? 0 : T) * B * H;
  let [loss, size] = [0, 0];
  const add = (term: number): void => {
    loss += term;
    size += Math.abs(term);
  };
  for (const { t, currentSlot } of stepsOf(reverse)) {
    for (let i = 0; i < B * H; i++) add(h[currentSlot * B * H + i] * cotangents.dy[t * B * H + i]);
  }
  for (let i = 0; i < B * H; i++) add(h[last + i] * cotangents.dhN[i]);
  if (cell.states.length > 0) cotangents.dcN.forEach((d, i) => add(c[last * memoryNumbers(cell) + i] * d));
  return { loss, size };
}

/** Gradients of everything in Inputs, by the backward kernels and the products that follow them. */
function backward(
  cell: Cell,
  reverse: boolean,
  rows: Rows,
  inputs: Inputs,
  { dy, dhN, dcN }: { dy: Float64Array; dhN: Float64Array; dcN: Float64Array },
): Inputs {
  const G = cell.gateNames.length;
  const { gates, h, c } = forward(cell, reverse, rows, inputs);
  const width = carryNumbers(cell);
  const carry = new Float64Array(B * H * width);
  dhN.forEach((d, i) => (carry[i * width] = d));
  // By state in c, by unit in the carry.
  const placeOf = (i: number): number => (i % (B * H)) * width + 1 + Math.floor(i / (B * H));
  if (cell.states.length > 0) dcN.forEach((d, i) => (carry[placeOf(i)] = d));
  // The backward kernels want [k, j, g] from unit j to the gates of unit k.
  const weights = inputs.weights.map((_, i) => inputs.weights[((Math.floor(i / G) % H) * H + Math.floor(i / (G * H))) * G + (i % G)]);
  const dRecurrent = new Float64Array(T * B * H * G);
  const kernels: readonly Kernel[] = phasesOf(cell) === 2 ? [twoPhaseBackward(cell, 0), twoPhaseBackward(cell, 1)] : [stepBackward(cell)];
  const arrays = { gates, weights: joined(weights, inputs.perUnit), h, c, dy, carry, dRecurrent, lengths: rowsOf[rows] };
  const steps = stepsOf(reverse).reverse();
  for (let i = T - 1; i >= 0; i--) for (const kernel of kernels) twinOf(kernel)(arrays, { ...segmentOf(reverse), i, tail: 0 });
  twinOf(kernels[0])(arrays, { ...segmentOf(reverse), i: 0, tail: 1 });

  const recurrentSide = cell.splitsRecurrentGradient ? dRecurrent : gates;
  const d: Inputs = {
    x: gates,
    weights: new Float64Array(H * H * G),
    bias: new Float64Array(H * G),
    perUnit: new Float64Array(H * G),
    h0: carry.filter((_, i) => i % width === 0),
    c0: cell.states.length > 0 ? dcN.map((_, i) => carry[placeOf(i)]) : new Float64Array(B * H),
  };
  for (const { t, previousSlot, currentSlot } of steps) {
    if (cell.perUnit) {
      const arrays = { dGates: gates.subarray(t * B * H * G), c, dOwn: d.perUnit };
      twinOf(perUnitGradient)(arrays, {
        ...gatesSeeing(cell),
        rows: B,
        H,
        cPrevious: previousSlot * B * H,
        cCurrent: currentSlot * B * H,
        accumulate: 1,
      });
    }
    for (let row = 0; row < B; row++) {
      for (let jg = 0; jg < H * G; jg++) {
        const gradient = recurrentSide[(t * B + row) * H * G + jg];
        const second = cell.gatePhases?.[jg % G] === 1;
        const operand = second ? c.subarray((currentSlot * B + row) * H) : h.subarray((previousSlot * B + row) * H);
        d.bias[jg] += gradient;
        for (let k = 0; k < H; k++) d.weights[k * H * G + jg] += operand[k] * gradient;
      }
    }
  }
  return d;
}

/** Whether a gate may have a slope of 0. */
const hasFlats = ({ name }: Cell): boolean => /relu|hardsigmoid|clip/.test(name);

/** Each cell with each function in each role, some with a clip that some gates reach. */
const chosenCells: readonly Cell[] = (
  [
    ...(["Sigmoid", "Tanh", "Relu", "Softsign", "Softplus"] as const).map((name) => functionOf(name)),
    functionOf("HardSigmoid", 1 / 6, 0.5),
    functionOf("HardSigmoid", -0.4, 0.3),
    functionOf("LeakyRelu", 0.2),
    functionOf("Elu", 0.7),
    functionOf("Affine", -0.6, 0.2),
    functionOf("ScaledTanh", -1.2, 0.8),
    functionOf("ThresholdedRelu", 0.25),
  ] as const
).flatMap((of, i) => {
  const clip = i % 2 === 1 ? 0.6 : 0;
  return [
    rnnCell({ ...usualFunctions, candidate: of, clip }),
    gruCell({ reset: true, updateGate: "keeps" }, { ...usualFunctions, gates: of, clip }),
    gruCell({ reset: false, updateGate: "keeps" }, { ...usualFunctions, gates: of, candidate: of }),
    gruResetBeforeCell("keeps", { ...usualFunctions, gates: of, candidate: of, clip }),
    gruResetBeforeCell("writes", { ...usualFunctions, candidate: of }),
    lstmCell({ forgetGate: "gate", peepholes: true }, { ...usualFunctions, gates: of, output: of, clip }),
    lstmCell({ forgetGate: "coupled", peepholes: true }, { ...usualFunctions, gates: of, candidate: of, clip }),
  ];
});

/**
 * Holds the backward pass to finite differences of the forward pass.
 * @param names the inputs whose gradients are tried
 * @param scale of what comes into the gates
 */
function expectFiniteDifferences(cell: Cell, reverse: boolean, rows: Rows, names: readonly (keyof Inputs)[], scale = 1): void {
  const G = cell.gateNames.length;
  const inputs: Inputs = {
    x: numbers(T * B * H * G, scale),
    weights: numbers(H * H * G, 0.8 * scale),
    bias: numbers(H * G, scale),
    perUnit: numbers(H * G),
    h0: numbers(B * H),
    c0: memoryOf(cell),
  };
  const cotangents = { dy: numbers(T * B * H), dhN: numbers(B * H), dcN: numbers(memoryNumbers(cell) * B * H) };
  const found = backward(cell, reverse, rows, inputs, cotangents);
  const epsilon = 1e-6;
  // Gates without bounds make large terms, whose rounding remains where they cancel; a difference has that of both losses.
  const rounding = (4 * Number.EPSILON * lossOf(cell, reverse, rows, inputs, cotangents).size) / epsilon;
  for (const name of names) {
    for (let i = 0; i < inputs[name].length; i++) {
      const at = (shift: number): number => {
        const moved = { ...inputs, [name]: inputs[name].slice() };
        moved[name][i] += shift;
        return lossOf(cell, reverse, rows, moved, cotangents).loss;
      };
      const expected = (at(epsilon) - at(-epsilon)) / (2 * epsilon);
      const most = 1e-7 * Math.max(1, Math.abs(expected)) + rounding;
      const off = Math.abs(found[name][i] - expected);
      expect(off, `d${name}[${i}] is ${found[name][i]}, finite differences give ${expected}`).toBeLessThan(most);
    }
  }
}

it.each(chosenCells.map((cell) => [cell.name, cell] as const))("BPTT with chosen functions equals finite differences: %s", (_, cell) =>
  // Gates without bounds make states of 10^7 out of larger numbers, and differences of them say little.
  expectFiniteDifferences(cell, false, "lengths", ["bias", "perUnit", "h0", "c0"], 0.6),
);

describe.each([...cells, ...twoPhaseCells].map((cell) => [cell.name, cell] as const))("BPTT of %s", (_, cell) => {
  it.each([
    ["forwards", false, "lengths"],
    ["in reverse", true, "lengths"],
    ["forwards, with gaps", false, "gaps"],
    ["in reverse, with gaps", true, "gaps"],
  ] as const)("equals finite differences %s", (_, reverse, rows) =>
    expectFiniteDifferences(cell, reverse, rows, ["x", "weights", "bias", "perUnit", "h0", "c0"]),
  );

  it("leaves no gradient where a row has ended", () => {
    const G = cell.gateNames.length;
    const inputs: Inputs = {
      x: numbers(T * B * H * G),
      weights: numbers(H * H * G),
      bias: numbers(H * G),
      perUnit: numbers(H * G),
      h0: numbers(B * H),
      c0: memoryOf(cell),
    };
    const { x } = backward(cell, false, "lengths", inputs, {
      dy: numbers(T * B * H),
      dhN: numbers(B * H),
      dcN: numbers(memoryNumbers(cell) * B * H),
    });
    const used = (i: number): boolean => Math.floor(i / (B * H * G)) < lengths[Math.floor(i / (H * G)) % B];
    expect([...x].findIndex((d, i) => !used(i) && d !== 0)).toBe(-1);
    const { gateNames, parameterGates = gateNames } = cell;
    expect([...x].every((d, i) => !used(i) || d !== 0 || hasFlats(cell) || !parameterGates.includes(gateNames[i % G]))).toBe(true);
  });

  it("gives gates without parameters a gradient of exactly 0", () => {
    const { gateNames, parameterGates = gateNames } = cell;
    const G = gateNames.length;
    const inputs: Inputs = {
      x: numbers(T * B * H * G),
      weights: numbers(H * H * G),
      bias: numbers(H * G),
      perUnit: numbers(H * G),
      h0: numbers(B * H),
      c0: memoryOf(cell),
    };
    const { x, weights, bias, perUnit } = backward(cell, false, "lengths", inputs, {
      dy: numbers(T * B * H),
      dhN: numbers(B * H),
      dcN: numbers(memoryNumbers(cell) * B * H),
    });
    for (const gradient of [x, weights, bias, perUnit])
      expect(gradient.some((d, i) => d !== 0 && !parameterGates.includes(gateNames[i % G]))).toBe(false);
  });
});
