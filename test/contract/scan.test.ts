// The scan over time by its twins, in float64: equal to the kernels of single steps with weights of zero, its gradients
// equal to finite differences in every element, whole or cut into segments, with rows of different lengths.
import { describe, expect, it } from "vitest";
import { scannedCells } from "../../src/recurrent/cells/all-cells.ts";
import { twinOf } from "../../src/backend/all-twins.ts";
import { randomUniforms } from "../../src/kernels/philox.ts";
import type { Cell } from "../../src/recurrent/cells/cell.ts";
import { hSize, hStart, laneStart, type Segment } from "../../src/recurrent/kernels/lanes.ts";
import { stepAt } from "../../src/recurrent/kernels/step-places.ts";
import { scanBackward, scanForward } from "../../src/recurrent/strategies/scan.ts";
import { stepForward } from "../../src/recurrent/kernels/step.ts";
import { stepBackward } from "../../src/recurrent/kernels/step.backward.ts";

const [T, B, H] = [5, 3, 4];
const lengths = Uint32Array.of(5, 0, 3);
let stream = 0;
const numbers = (count: number): Float64Array => randomUniforms(5, stream++, count).map((u) => 4 * u - 2);

/** Both directions, in segments of so many steps. */
const segmentsOf = (steps: number): Segment[] =>
  Array.from({ length: Math.ceil(T / steps) }, (_, s) => ({
    lanes: 2,
    T,
    B,
    H,
    reverse: 2,
    hBase: 13,
    first: s * steps,
    steps: Math.min(steps, T - s * steps),
  }));
const [whole] = segmentsOf(T);

interface Inputs {
  /** W·x + b of each segment, in lanes. */
  readonly x: readonly Float64Array[];
  /** By lane. */
  readonly h0: readonly Float64Array[];
}
interface Cotangents {
  readonly dy: Float64Array;
  readonly dhN: readonly Float64Array[];
}
type Way = "scan" | "steps";

function inputsOf(cell: Cell, segments: readonly Segment[]): Inputs {
  const G = cell.gateNames.length;
  return { x: segments.map(({ steps }) => numbers(laneStart(2, steps * B * H) * G)), h0: [numbers(B * H), numbers(B * H)] };
}
const cotangentsOf = (): Cotangents => ({ dy: numbers(laneStart(2, T * B * H)), dhN: [numbers(B * H), numbers(B * H)] });

/** Where the numbers of a lane's last state begin. */
const lastState = (lane: number): number => stepAt(whole, lane, T - 1).hCurrent;

function forward(cell: Cell, segments: readonly Segment[], { x, h0 }: Inputs, way: Way) {
  const h = new Float64Array(laneStart(2, hSize(whole)));
  h0.forEach((values, lane) => h.set(values, stepAt(whole, lane, 0).hPrevious));
  const gates = x.map((values) => values.slice());
  const weights = new Float64Array(laneStart(2, (H + 1) * H) * cell.gateNames.length);
  segments.forEach((segment, s) => {
    if (way === "scan") return twinOf(scanForward(cell))({ gates: gates[s], h, lengths }, segment);
    for (let i = 0; i < segment.steps; i++)
      twinOf(stepForward(cell))({ gates: gates[s], weights, h, c: new Float64Array(0), lengths }, { ...segment, i });
  });
  return { h, gates };
}

function backward(cell: Cell, segments: readonly Segment[], inputs: Inputs, { dy, dhN }: Cotangents, way: Way): Inputs {
  const { h, gates } = forward(cell, segments, inputs, way);
  const carry = new Float64Array(laneStart(2, B * H) * 2);
  dhN.forEach((values, lane) => values.forEach((d, i) => (carry[(laneStart(lane, B * H) + i) * 2] = d)));
  const weights = new Float64Array(laneStart(2, H * H) * cell.gateNames.length);
  const none = new Float64Array(0);
  [...segments.keys()].reverse().forEach((s) => {
    const segment = segments[s];
    if (way === "scan") return twinOf(scanBackward(cell))({ gates: gates[s], h, dy, carry, lengths }, segment);
    for (let i = segment.steps - 1; i >= 0; i--) {
      const arrays = { gates: gates[s], weights, h, c: none, dy, carry, dRecurrent: none, lengths };
      twinOf(stepBackward(cell))(arrays, { ...segment, i, tail: 0 });
    }
  });
  const ofLane = (lane: number): Float64Array => Float64Array.from({ length: B * H }, (_, i) => carry[(laneStart(lane, B * H) + i) * 2]);
  return { x: gates, h0: [ofLane(0), ofLane(1)] };
}

/** Σ h_t·dy_t over the steps in use, and h_N·dh_N. */
function lossOf(cell: Cell, segments: readonly Segment[], inputs: Inputs, { dy, dhN }: Cotangents): number {
  const { h } = forward(cell, segments, inputs, "scan");
  let loss = 0;
  for (const lane of [0, 1]) {
    for (let i = 0; i < T; i++) {
      const step = stepAt(whole, lane, i);
      for (let at = 0; at < B * H; at++) loss += h[step.hCurrent + at] * dy[step.dy + at];
    }
    for (let at = 0; at < B * H; at++) loss += h[lastState(lane) + at] * dhN[lane][at];
  }
  return loss;
}

/** Indices of a segment's gates that belong to a step of some lane, not to the space between lanes. */
const used = ({ steps }: Segment, G: number): number[] =>
  [0, 1].flatMap((lane) => Array.from({ length: steps * B * H * G }, (_, i) => laneStart(lane, steps * B * H) * G + i));

describe.each(scannedCells.map((cell) => [cell.name, cell] as const))("the scan of %s", (_, cell) => {
  const G = cell.gateNames.length;

  it.each([5, 2])("has the gradients of finite differences, in segments of %i steps", (steps) => {
    const segments = segmentsOf(steps);
    const [inputs, cotangents] = [inputsOf(cell, segments), cotangentsOf()];
    const found = backward(cell, segments, inputs, cotangents, "scan");
    const epsilon = 1e-6;
    const check = (values: Float64Array, i: number, d: number, what: string): void => {
      const value = values[i];
      const [more, less] = [epsilon, -epsilon].map((shift) => {
        values[i] = value + shift;
        return lossOf(cell, segments, inputs, cotangents);
      });
      values[i] = value;
      const expected = (more - less) / (2 * epsilon);
      expect(Math.abs(d - expected), `${what}[${i}] is ${d}, finite differences give ${expected}`).toBeLessThan(1e-7);
    };
    segments.forEach((segment, s) => used(segment, G).forEach((i) => check(inputs.x[s], i, found.x[s][i], `dx of segment ${s}`)));
    inputs.h0.forEach((h0, lane) => h0.forEach((_, i) => check(h0, i, found.h0[lane][i], `dh0 of lane ${lane}`)));
  });

  it.each([5, 2])("computes what the steps one by one do, in segments of %i steps", (steps) => {
    const segments = segmentsOf(steps);
    const [inputs, cotangents] = [inputsOf(cell, segments), cotangentsOf()];
    const [one, other] = (["scan", "steps"] as const).map((way) => ({
      ...forward(cell, segments, inputs, way),
      d: backward(cell, segments, inputs, cotangents, way),
    }));
    for (const lane of [0, 1]) {
      const start = hStart(lane, whole);
      expect(one.h.subarray(start, start + (T + 1) * B * H)).toEqual(other.h.subarray(start, start + (T + 1) * B * H));
    }
    expect(one.gates).toEqual(other.gates);
    expect(one.d).toEqual(other.d);
  });

  it("leaves no gradient where a row has ended, and passes the final state's on", () => {
    const segments = segmentsOf(T);
    const { dhN, dy } = cotangentsOf();
    // Outputs past a row's end are zeros that a layer makes, whose gradient is 0.
    for (const lane of [0, 1])
      for (let i = 0; i < T; i++) {
        const step = stepAt(whole, lane, i);
        for (let at = 0; at < B * H; at++) if (step.t >= lengths[Math.floor(at / H)]) dy[step.dy + at] = 0;
      }
    const d = backward(cell, segments, inputsOf(cell, segments), { dhN, dy }, "scan");
    for (const lane of [0, 1]) {
      for (let i = 0; i < T; i++) {
        const step = stepAt(whole, lane, i);
        for (let at = 0; at < B * H * G; at++) {
          const ended = step.t >= lengths[Math.floor(at / (H * G))];
          if (ended) expect(d.x[0][step.gates * G + at]).toBe(0);
        }
      }
      // The second row has no step at all.
      expect([...d.h0[lane].subarray(H, 2 * H)]).toEqual([...dhN[lane].subarray(H, 2 * H)]);
    }
  });
});
