// Every kernel on the device against its twin, element by element, and against itself: a run repeats bit for bit.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../../src/backend/backend.ts";
import { createBackend } from "../../src/backend/create-backend.ts";
import type { Kernel } from "../../src/kernels/kernel.ts";
import { kernels } from "../../src/kernels/registry.ts";
import { Recording, type View } from "../../src/recording/recording.ts";
import type { NumericArray } from "../../src/tensor/tensor.ts";
import { casesOf, type KernelCase } from "./kernel-cases.ts";

type Arrays = Record<string, NumericArray>;
const atol = 1e-5;
const rtol = 1e-4;

/** Where `actual` leaves the tolerance (integers: differs at all) for the first time, in words; "" if nowhere. */
function difference(name: string, actual: NumericArray, expected: NumericArray): string {
  for (let i = 0; i < expected.length; i++) {
    const [a, b] = [actual[i], expected[i]];
    const close = Object.is(a, b) || (expected instanceof Float32Array ? Math.abs(a - b) <= atol + rtol * Math.abs(b) : a === b);
    if (!close) return `${name}[${i}] is ${a} on the device, ${b} in the twin`;
  }
  return "";
}

let backend: Backend;
beforeAll(async () => {
  backend = await createBackend("webgpu");
});
afterAll(() => backend?.destroy());

/** The buffers that the kernel may write, after each of two runs from the same start. */
async function onDevice(kernel: Kernel, { params, arrays }: KernelCase): Promise<[Arrays, Arrays]> {
  const recording = new Recording();
  const names = Object.keys(kernel.bindings);
  const views: Record<string, View> = Object.fromEntries(names.map((name) => [name, recording.buffer(name, [arrays[name].length], "external", kernel.bindings[name].type)]));
  recording.dispatch(kernel, views, params);
  const memory = Object.fromEntries(names.map((name) => [name, backend.createBuffer(name, kernel.bindings[name].type, arrays[name].length)]));
  const program = await backend.prepare(recording, new Map(names.map((name) => [views[name].buffer, memory[name]])));
  const run = async (): Promise<Arrays> => {
    for (const name of names) backend.write(memory[name], arrays[name]);
    await program.run();
    const written = names.filter((name) => kernel.bindings[name].access === "read_write");
    return Object.fromEntries(await Promise.all(written.map(async (name) => [name, await backend.read(memory[name])] as const)));
  };
  try {
    return [await run(), await run()];
  } finally {
    program.free();
    for (const name of names) backend.free(memory[name]);
  }
}

const labelOf = ({ note, params }: KernelCase): string => [note, Object.entries(params).map(([k, v]) => `${k} ${v}`).join(" ")].filter(Boolean).join(": ");

describe.each(kernels.map((kernel) => [kernel.name, kernel] as const))("%s", (_, kernel) => {
  const cases = casesOf(kernel);

  it("has cases", () => {
    expect(cases.length).toBeGreaterThan(0);
  });

  it.each(cases.map((one) => [labelOf(one), one] as const))("computes what its twin does: %s", async (_, one) => {
    const expected: Arrays = Object.fromEntries(Object.entries(one.arrays).map(([name, array]) => [name, array.slice()]));
    kernel.twin(expected, one.params);
    const [first, second] = await onDevice(kernel, one);
    for (const [name, actual] of Object.entries(first)) {
      expect(difference(name, actual, expected[name])).toBe("");
      expect(new Uint8Array(second[name].buffer), `${name} in a second run`).toEqual(new Uint8Array(actual.buffer));
    }
  });
});
