// States that stay on the device between runs: which memory they have, what a run does with it first, and when it is freed.
import { describe, expect, it } from "vitest";
import { createBackend, type Backend } from "webgpu-rnn";
import { Recording, type View } from "../../src/recording/recording.ts";
import { CarriedStates } from "../../src/session/carried-states.ts";

/** The externals of a run with this many rows: two states, and one buffer that is none. */
function externals(rows: number): Map<string, View> {
  const recording = new Recording();
  const shapes: [string, number[]][] = [
    ["carried.h", [rows, 3]],
    ["parameters", [64]],
    ["carried.c", [rows, 2]],
  ];
  return new Map(shapes.map(([label, shape]) => [label, recording.buffer(label, shape, "external")]));
}

const backend: Backend = await createBackend("cpu", { wasm: false });
const make = (): CarriedStates => new CarriedStates(backend);
const valuesOf = async (carried: CarriedStates): Promise<Record<string, number[]>> =>
  Object.fromEntries(Object.entries(await carried.read()).map(([label, values]) => [label, [...values]]));
/** Writes numbers into the states, as a run does. */
const run = (carried: CarriedStates, from: number): void => {
  for (const buffer of carried.buffers.values())
    backend.write(
      buffer,
      Float32Array.from({ length: buffer.length }, (_, i) => from + i),
    );
};
const zeros = { "carried.h": [0, 0, 0, 0, 0, 0], "carried.c": [0, 0, 0, 0] };
const counted = { "carried.h": [1, 2, 3, 4, 5, 6], "carried.c": [1, 2, 3, 4] };

describe("carried states", () => {
  it("have a buffer for each size, zeros at first, and the same one for the same size", () => {
    const carried = make();
    const [h] = [...externals(2).values()];
    const first = carried.memoryFor("carried.h", h.buffer);
    expect(carried.memoryFor("carried.h", h.buffer)).toBe(first);
    expect(carried.memoryFor("carried.c", h.buffer)).not.toBe(first);
    expect(carried.memoryFor("carried.h", { type: "f32", length: 9 })).not.toBe(first);
    expect([first.label, first.type, first.length]).toEqual(["carried.h", "f32", 6]);
    backend.free(first);
    const next = carried.memoryFor("carried.h", h.buffer);
    expect(next).not.toBe(first);
    expect(next.freed).toBe(false);
  });

  it("are cleared before a first run and where a run starts, and left alone where it goes on", async () => {
    for (const starts of [true, false]) {
      const carried = make();
      const fills = carried.begin(externals(2), starts);
      expect(fills).toEqual([...carried.buffers.values()].map((to) => ({ to })));
      expect([...carried.buffers.keys()]).toEqual(["carried.h", "carried.c"]);
      expect(await valuesOf(carried)).toEqual(zeros);
      run(carried, 1);
      expect(carried.begin(externals(2), false)).toEqual([]);
      expect(await valuesOf(carried)).toEqual(counted);
      expect(carried.begin(externals(2), true)).toHaveLength(2);
    }
  });

  it("of another number of rows are refused where a run goes on, and nothing has changed then", async () => {
    const carried = make();
    carried.begin(externals(2), true);
    run(carried, 1);
    for (const rows of [1, 3]) {
      expect(() => carried.begin(externals(rows), false)).toThrow(
        `carried.h: carries 6 numbers, but this batch needs ${3 * rows}; keep the number of rows`,
      );
      expect(await valuesOf(carried)).toEqual(counted);
    }
    const fills = carried.begin(externals(3), true);
    expect(fills.map(({ to }) => to.length)).toEqual([9, 6]);
    expect([...carried.buffers.values()].map(({ length }) => length)).toEqual([9, 6]);
    // The old ones have not been carried on.
    expect(() => carried.begin(externals(2), false)).toThrow("carries 9 numbers");
  });

  it("are read, written and taken with the size that they have; what is missing begins with zeros", async () => {
    const carried = make();
    carried.begin(externals(2), true);
    carried.write(Object.fromEntries(Object.entries(counted).map(([label, values]) => [label, Float32Array.from(values)])));
    expect(await valuesOf(carried)).toEqual(counted);
    expect(carried.begin(externals(2), false)).toEqual([]);
    const copy = backend.createBuffer("copy", "f32", 6, [9, 8, 7, 6, 5, 4]);
    carried.take([["carried.h", copy]]);
    expect(await valuesOf(carried)).toEqual({ "carried.h": [9, 8, 7, 6, 5, 4] });
    const missing = carried.begin(externals(2), false);
    expect(missing.map(({ to }) => to.label)).toEqual(["carried.c"]);
    carried.write({});
    expect(await valuesOf(carried)).toEqual({});
    expect(carried.begin(externals(2), false)).toHaveLength(2);
  });

  it("that are listed are those of the moment", () => {
    const carried = make();
    const before = carried.buffers;
    carried.begin(externals(2), true);
    expect(before.size).toBe(0);
    expect(carried.buffers.size).toBe(2);
  });

  it("are full after sixteen sizes, and only the buffers of the last run outlive the clearing", () => {
    const carried = make();
    const bytes = backend.counters.bytes;
    for (let rows = 1; rows <= 16; rows++) {
      carried.begin(externals(rows), true);
      expect(carried.isFull, `${rows} sizes`).toBe(false);
    }
    carried.begin(externals(17), true);
    expect(carried.isFull).toBe(true);
    const used = [...carried.buffers.values()];
    carried.freeOthers();
    expect(carried.isFull).toBe(false);
    expect(used.map(({ freed }) => freed)).toEqual([false, false]);
    expect(backend.counters.bytes - bytes).toBe(4 * (used[0].length + used[1].length));
    expect(carried.begin(externals(17), false)).toEqual([]);
    expect([...carried.buffers.values()]).toEqual(used);
  });

  it("without states are full by the number of buffers alone", () => {
    const carried = make();
    for (let length = 1; length <= 16; length++) carried.memoryFor("carried.h", { type: "f32", length });
    expect(carried.isFull).toBe(false);
    carried.memoryFor("carried.h", { type: "f32", length: 17 });
    expect(carried.isFull).toBe(true);
  });

  it("that are freed give all memory back, and are refused afterwards", () => {
    const carried = make();
    const bytes = backend.counters.bytes;
    carried.begin(externals(2), true);
    carried.begin(externals(3), true);
    carried.free();
    expect(backend.counters.bytes).toBe(bytes);
    expect(carried.buffers.size).toBe(0);
    expect(() => carried.begin(externals(2), true)).toThrow("carried.h: has been freed: its trainer has been disposed of");
  });
});
