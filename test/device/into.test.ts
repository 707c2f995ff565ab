// `into`: results in arrays of the caller's.
import { describe, expect, it } from "vitest";
import { createBackend, forward, GRU, Linear, LSTM, RnnError, Sequential, type ResultArrays, type Tensor } from "webgpu-rnn";
import { backend, kinds, numbers } from "./support.ts";

const [T, B, I, H] = [3, 2, 4, 5];
const model = new Sequential({ rnn: new LSTM(I, H, { numLayers: 2 }), linear: new Linear(H, 3) });
const input = (seed: number): Tensor => ({ shape: [T, B, I], data: numbers(T * B * I, seed) });
const arrays = () => ({
  output: new Float32Array(T * B * 3).fill(9),
  state: { "rnn.h": new Float32Array(2 * B * H).fill(9), "rnn.c": new Float32Array(2 * B * H).fill(9) },
});

describe.each(kinds)("into on %s", (kind) => {
  it("receives every result, call after call, with the bits of a call without it", async () => {
    const options = { backend: await backend(kind) };
    const into = arrays();
    for (const seed of [1, 2, 3]) {
      const expected = await forward(model, input(seed), options);
      const got = await forward(model, input(seed), { ...options, into });
      expect(got).toEqual(expected);
      expect(got.output.data).toBe(into.output);
      for (const path of ["rnn.h", "rnn.c"] as const) expect(got.state[path].data).toBe(into.state[path]);
    }
  });

  it("may hold some results: the others come in new arrays", async () => {
    const options = { backend: await backend(kind) };
    const { output, state } = arrays();
    const expected = await forward(model, input(1), options);
    for (const into of [{}, { output }, { state }, { state: { "rnn.c": state["rnn.c"] } }]) {
      const [first, second] = [await forward(model, input(1), { ...options, into }), await forward(model, input(1), { ...options, into })];
      expect(first).toEqual(expected);
      expect(first.state["rnn.h"].data === second.state["rnn.h"].data).toBe(into.state !== undefined && "rnn.h" in into.state);
      expect(first.output.data === second.output.data).toBe("output" in into);
    }
  });

  it("may be parts of one buffer, and of a shared one", async () => {
    const options = { backend: await backend(kind) };
    const expected = await forward(model, input(1), options);
    for (const buffer of [new ArrayBuffer(400), new SharedArrayBuffer(400)]) {
      const into = { output: new Float32Array(buffer, 40, T * B * 3), state: { "rnn.h": new Float32Array(buffer, 200, 2 * B * H) } };
      const got = await forward(model, input(1), { ...options, into });
      expect([...got.output.data]).toEqual([...expected.output.data]);
      expect([...got.state["rnn.h"].data]).toEqual([...expected.state["rnn.h"].data]);
    }
  });

  it("that is transferred while the pass runs is an error, and the next call works", async () => {
    const options = { backend: await backend(kind) };
    const expected = await forward(model, input(1), options);
    const into = arrays();
    const running = forward(model, input(1), { ...options, into });
    structuredClone(into.output, { transfer: [into.output.buffer] });
    const error = await running.catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(RnnError);
    expect((error as RnnError).message).toMatch(/output/);
    expect(await forward(model, input(1), { ...options, into: arrays() })).toEqual(expected);
  });

  it("that does not fit is refused by name", async () => {
    const options = { backend: await backend(kind) };
    const refused = async (into: unknown): Promise<string> => {
      const error = await forward(model, input(1), { ...options, into: into as ResultArrays }).catch((cause: unknown) => cause);
      expect(error).toBeInstanceOf(RnnError);
      return (error as RnnError).message;
    };
    const size = T * B * 3;
    expect(await refused({ output: new Float32Array(size - 1) })).toBe(
      `forward: into: output must be a Float32Array of ${size} numbers, for the shape [3, 2, 3]; got a Float32Array of ${size - 1}`,
    );
    expect(await refused({ output: new Float64Array(size) })).toMatch(
      /output must be a Float32Array of 18 numbers.*got a Float64Array of 18/,
    );
    expect(await refused({ state: { "rnn.h": new Float32Array(3) } })).toMatch(/state "rnn\.h" must be a Float32Array of 20 numbers/);
    for (const wrong of [[1, 2], new Int32Array(size), "output", null, new DataView(new ArrayBuffer(4 * size))])
      expect(await refused({ output: wrong })).toMatch(/output/);
    expect(await refused({ state: { h: new Float32Array(20) } })).toBe('forward: into: this model has no result state "h"');
    expect(await refused({ further: { weights: new Float32Array(20) } })).toMatch(/no result further "weights"/);
    expect(await refused({ outputs: new Float32Array(size) })).toMatch(/unknown option "outputs"/);
    expect(await refused(3)).toMatch(/into: options must be an object/);
  });
});

it("is a Float64Array on a float64 backend", async () => {
  const exact = await createBackend("cpu", { precision: "float64" });
  const layer = new GRU(I, H);
  const output = new Float64Array(T * B * H);
  const result = await forward(layer, input(1), { backend: exact, into: { output } });
  expect(result.output.data).toBe(output);
  expect([...output]).toEqual([...(await forward(layer, input(1), { backend: exact })).output.data]);
  const error = await forward(layer, input(1), { backend: exact, into: { output: new Float32Array(T * B * H) } }).catch(
    (cause: unknown) => cause,
  );
  expect((error as RnnError).message).toMatch(/must be a Float64Array/);
});
