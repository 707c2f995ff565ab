// The recurrent matrix of several heads: its blocks alone are read and multiplied, and give what the whole matrix with its
// zeros gives.
import { describe, expect, it } from "vitest";
import { twinOf } from "../../src/backend/all-twins.ts";
import { minGru } from "../../src/recurrent/cells/min-gru.ts";
import { slstmCell } from "../../src/recurrent/cells/slstm.ts";
import { fanIn } from "../../src/recurrent/kernels/recurrent-kernel.ts";
import { prepareLayer } from "../../src/recurrent/kernels/prepare-layer.ts";
import { randomUniforms } from "../../src/kernels/philox.ts";
import { stepForward } from "../../src/recurrent/kernels/step.ts";
import { stepBackward } from "../../src/recurrent/kernels/step.backward.ts";

const cell = slstmCell("sigmoid");
const [T, B, H, G] = [2, 3, 12, 4];
const segment = { lanes: 1, T, B, H, reverse: 0, hBase: 0, first: 0, steps: T };
let stream = 0;
const numbers = (count: number): Float64Array => randomUniforms(9, stream++, count).map((u) => 2 * u - 1);
const lengths = new Uint32Array(B).fill(T);

/** An array that counts how often its numbers are read. */
function counted(values: Float64Array): { values: Float64Array; reads: () => number } {
  let reads = 0;
  const proxy = new Proxy(values, {
    get(target, key) {
      if (typeof key === "string" && /^\d+$/.test(key)) reads++;
      const found: unknown = Reflect.get(target, key, target);
      return typeof found === "function" ? (found as () => unknown).bind(target) : found;
    },
  });
  return { values: proxy, reads: () => reads };
}

/** U [H·G, H/heads] with zeros between its blocks, [H·G, H]. */
const whole = (weight: Float64Array, heads: number): Float64Array => {
  const read = H / heads;
  return Float64Array.from({ length: H * G * H }, (_, at) => {
    const [row, k] = [Math.floor(at / H), at % H];
    return Math.floor(row / G / read) === Math.floor(k / read) ? weight[row * read + (k % read)] : 0;
  });
};

function packed(weight: Float64Array, bias: Float64Array, heads: number) {
  const read = H / heads;
  const arrays = {
    weight,
    bias,
    forwardWeights: new Float64Array((read + 1) * H * G),
    backwardWeights: new Float64Array(read * H * G),
    table: new Float64Array(1),
    ids: new Uint32Array(1),
    gathered: new Float64Array(1),
  };
  twinOf(prepareLayer)(arrays, { H, G, width: G, fanIn: read, biasRow: read, useBias: 1, backward: 1, rows: 0, columns: 1, firstId: 0 });
  return arrays;
}

function run(
  heads: number,
  { forwardWeights, backwardWeights }: { forwardWeights: Float64Array; backwardWeights: Float64Array },
  x: Float64Array,
) {
  const gates = x.slice();
  const h = new Float64Array((T + 1) * B * H).fill(0.3);
  const c = new Float64Array((T + 1) * 3 * B * H).fill(0.7);
  for (let i = 0; i < T; i++) twinOf(stepForward(cell, { heads }))({ gates, weights: forwardWeights, h, c, lengths }, { ...segment, i });
  const states = h.slice();
  const carry = new Float64Array(B * H * 4);
  const shared = { gates, weights: backwardWeights, h, c, dy: states.slice(B * H), carry, dRecurrent: new Float64Array(0), lengths };
  for (let i = T - 1; i >= 0; i--) twinOf(stepBackward(cell, { heads }))(shared, { ...segment, i, tail: 0 });
  twinOf(stepBackward(cell, { heads }))(shared, { ...segment, i: 0, tail: 1 });
  return { states, gates, carry };
}

describe.each([1, 2, 3, 4, 6, 12])("a recurrent matrix of %i heads", (heads) => {
  const [weight, bias, x] = [numbers((H * G * H) / heads), numbers(H * G), numbers(T * B * H * G)];
  const read = H / heads;

  it("is read once for each row, unit and gate, and for each state of the head", () => {
    const { forwardWeights, backwardWeights } = packed(weight, bias, heads);
    expect([forwardWeights.length, backwardWeights.length]).toEqual([(read + 1) * H * G, read * H * G]);
    const [forward, backward] = [counted(forwardWeights), counted(backwardWeights)];
    run(heads, { forwardWeights: forward.values, backwardWeights: backward.values }, x);
    expect(forward.reads()).toBe(T * B * H * G * (read + 1));
    // The last step has none behind it, and the tail has the first one.
    expect(backward.reads()).toBe(T * B * H * G * read);
  });

  it("gives exactly what the whole matrix gives", () => {
    const found = run(heads, packed(weight, bias, heads), x);
    const expected = run(1, packed(whole(weight, heads), bias, 1), x);
    expect(found).toEqual(expected);
  });
});

it("is not there in a cell without one, whose units read no states", () => {
  expect(fanIn(minGru, H, {})).toBe(0);
  const none = counted(new Float64Array(0));
  const gates = numbers(B * H * 2);
  const arrays = { gates, weights: none.values, h: new Float64Array(3 * B * H), c: new Float64Array(0), lengths };
  twinOf(stepForward(minGru))(arrays, { ...segment, i: 0 });
  expect(none.reads()).toBe(0);
});
