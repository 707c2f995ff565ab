/** A recurrent layer right behind an embedding projects the table's rows, not the sequence's: the results are the same. */
import { describe, expect, it } from "vitest";
import { Embedding, gradients, GRU, LSTM, Sequential, type Tensor } from "webgpu-rnn";
import { backend, expectClose, kinds, numbers } from "./support.ts";

const [T, B, I, H] = [6, 5, 7, 9];

/** [A, B, F] -> [B, A, F] */
function swapped<A extends Float32Array | Uint32Array>(data: A, [first, second]: readonly [number, number]): A {
  const F = data.length / (first * second);
  return data.map((_, at) => data[((Math.floor(at / F) % first) * second + Math.floor(at / F / first)) * F + (at % F)]) as A;
}

describe.each(kinds)("an embedding before a recurrent layer on %s", (kind) => {
  // A layer that takes the batch first swaps the embedding's rows, and so has to have them.
  it.each([
    ["LSTM", LSTM, 4],
    ["LSTM", LSTM, 15],
    ["LSTM, table too large to pay", LSTM, 16],
    ["GRU, both directions", GRU, 3],
  ] as const)("gives the same with and without the rows: %s of %i", async (name, Layer, V) => {
    const on = await backend(kind);
    const bidirectional = name.includes("both");
    const make = (batchFirst: boolean): Sequential =>
      new Sequential([new Embedding(V, I), new Layer(I, H, { batchFirst, bidirectional, numLayers: 2 })], { seed: 3 });
    const ids = Uint32Array.from(numbers(T * B, 5), (x) => Math.floor((x + 1) * 0.5 * V));
    const cotangent = numbers(T * B * H * (bidirectional ? 2 : 1), 6);
    const lengths = [6, 0, 3, 5, 6];
    const byTable = await gradients(
      make(false),
      { input: { shape: [T, B], data: ids }, lengths },
      { output: { shape: [T, B, cotangent.length / (T * B)], data: cotangent } },
      { backend: on },
    );
    const byRows = await gradients(
      make(true),
      { input: { shape: [B, T], data: swapped(ids, [T, B]) }, lengths },
      { output: { shape: [B, T, cotangent.length / (T * B)], data: swapped(cotangent, [T, B]) } },
      { backend: on },
    );
    expectClose("output", swapped(byTable.output.data as Float32Array, [T, B]), byRows.output.data);
    for (const [path, value] of Object.entries<Tensor>(byRows.gradients.parameters)) {
      expect(
        value.data.some((x) => x !== 0),
        path,
      ).toBe(true);
      expectClose(`gradient of ${path}`, byTable.gradients.parameters[path].data, value.data);
    }
  });
});
