// Frames whose getters run code of the caller's while a stream reads them: nothing is mixed up, and the states stay.
import { describe, expect, it } from "vitest";
import { createBackend, createStream, Linear, LSTM, saveStream, Sequential, type Stream } from "webgpu-rnn";
import * as alone from "webgpu-rnn/stream";

const model = new Sequential([new LSTM(2, 4, { seed: 1 }), new Linear(4, 2, { seed: 2 })]);
const batch = 3;
const made: Readonly<Record<string, () => Promise<Stream>>> = {
  model: () => createStream(model, { backend, batch }),
  file: async () => await alone.createStream(await saveStream(model, { batch })),
};
const backend = await createBackend("cpu", { threads: 1 });
/** Of the streams of a model here; a stream of a file has its own. */
const grow = (kind: string): void => {
  if (kind === "model") backend.createBuffer("large", "f32", 2 ** 20);
};
const numbers = (length: number): Float32Array => Float32Array.from({ length }, (_, i) => Math.sin(i * 1.7));

/** Numbers whose one at `moment` does something first; "length" does it when the length is read. */
function acting(values: Float32Array, moment: number | "length", act: () => void): ArrayLike<number> {
  const list: Record<number, number> = Object.fromEntries(values.entries());
  const value = moment === "length" ? values.length : values[moment];
  const rest = moment === "length" ? {} : { length: values.length };
  const get = (): number => {
    act();
    return value;
  };
  return Object.defineProperty(Object.assign(list, rest), moment, { get }) as unknown as ArrayLike<number>;
}

const readings: Readonly<Record<string, { length: number; call: (stream: Stream, frames: ArrayLike<number>) => Float32Array }>> = {
  step: { length: 6, call: (stream, frames) => stream.step(frames) },
  steps: { length: 6 * 20, call: (stream, frames) => stream.steps(frames) },
  stepRows: { length: 4, call: (stream, frames) => stream.stepRows([2, 0], frames) },
};
const acts: Readonly<Record<string, (stream: Stream) => void>> = {
  step: (stream) => void stream.step(numbers(6)),
  steps: (stream) => void stream.steps(numbers(6 * 40)),
  stepRows: (stream) => void stream.stepRows([1], [1, 2]),
  reset: (stream) => stream.reset(),
};

describe.each(Object.keys(made))("a stream of a %s", (kind) => {
  it.each(Object.keys(readings))("refuses calls by a frame that %s reads", async (reading) => {
    const stream = await made[kind]();
    const { length, call } = readings[reading];
    const values = numbers(length);
    stream.step(numbers(6));
    const before = stream.state.clone();
    const expected = call(stream, values).slice();
    for (const [name, act] of Object.entries(acts))
      for (const moment of ["length", 0, 1, length >> 1, length - 1] as const) {
        stream.state.write(before);
        expect(
          () =>
            call(
              stream,
              acting(values, moment, () => act(stream)),
            ),
          `${name} at ${moment}`,
        ).toThrow(/by a frame that it reads/);
        expect(stream.state.read()).toEqual(before.read());
        expect(call(stream, values)).toEqual(expected);
      }
  });

  it.each(Object.keys(readings))("may end while %s reads", async (reading) => {
    for (const moment of ["length", 0, 3] as const) {
      const stream = await made[kind]();
      const { length, call } = readings[reading];
      expect(() =>
        call(
          stream,
          acting(numbers(length), moment, () => stream.dispose()),
        ),
      ).toThrow(/disposed of/);
    }
  });

  it.each(Object.keys(readings))("goes on in memory that grows while %s reads", async (reading) => {
    const { length, call } = readings[reading];
    const values = numbers(length);
    for (const moment of ["length", 0, 1, length - 1] as const) {
      const [stream, other] = [await made[kind](), await made[kind]()];
      const frames = acting(values, moment, () => grow(kind));
      for (let i = 0; i < 2; i++) expect(call(stream, frames).slice()).toEqual(call(other, values));
      expect(stream.state.read()).toEqual(other.state.read());
    }
  });

  it("writes nothing into an array that a frame transfers, and its states stay", async () => {
    const stream = await made[kind]();
    const before = stream.state.read();
    const into = new Float32Array(6 * 20);
    const frames = acting(numbers(6 * 20), 77, () => void structuredClone(into.buffer, { transfer: [into.buffer] }));
    expect(() => stream.steps(frames, into)).toThrow(/into must be/);
    expect(stream.state.read()).toEqual(before);
  });
});
