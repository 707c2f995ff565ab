// Every kernel on the device against its twin, element by element, and against itself: a run repeats bit for bit.
import { describe, expect, it } from "vitest";
import type { Backend } from "../../src/backend/backend.ts";
import type { Kernel } from "../../src/kernels/kernel.ts";
import { kernels } from "../../src/backend/all-kernels.ts";
import type { NumericArray } from "../../src/tensor/tensor.ts";
import type { KernelCase } from "../../src/backend/self-test/case-values.ts";
import { casesOf } from "../../src/backend/self-test/kernel-cases.ts";
import { caseName, expectedOf, prepareCase, type Arrays } from "../../src/backend/self-test/kernel-check.ts";
import { backend, inPage } from "./support.ts";
import { eachValue, firstOfEach, spread } from "../thorough.ts";

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

/** The first byte in which two buffers differ, in words; "" if they are the same. */
function differentByte(name: string, one: NumericArray, other: NumericArray): string {
  const [a, b] = [one, other].map(({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength));
  for (let i = 0; i < Math.max(a.length, b.length); i++)
    if (a[i] !== b[i]) return `byte ${i} of ${name} is ${a[i]}, in a second run ${b[i]}`;
  return "";
}

/** The contents of a case's written buffers, after each of two runs from the same start. */
interface Started {
  readonly results: Promise<[Arrays, Arrays]>;
}

/** Submits both runs and their read-backs, for which it does not wait: the device's queue keeps the order. */
async function start(on: Backend, kernel: Kernel, one: KernelCase): Promise<Started> {
  const prepared = await prepareCase(on, kernel, one);
  const [first, second] = [await prepared.submit(), await prepared.submit()];
  const results = Promise.all([first.results, second.results]).finally(() => prepared.free());
  results.catch(() => undefined);
  return { results };
}

/** Starts one case after the other; the milliseconds that a browser takes for a read-back pass for all of them at once. */
function startAll(kernel: Kernel, cases: readonly KernelCase[]): Promise<Started>[] {
  let before: Promise<unknown> = Promise.resolve();
  return cases.map((one) => {
    const started = before.then(async () => start(await backend("webgpu"), kernel, one));
    before = started.catch(() => undefined);
    return started;
  });
}

// Kernels of the same source differ by numbers that another compiler takes in the same way.
const tried = inPage ? firstOfEach(kernels, ({ sources }) => sources.join()) : kernels;

describe.each(tried.map((kernel) => [kernel.name, kernel] as const))("%s", (_, kernel) => {
  // What a browser adds is its own compiler and its way to the device: some cases of each kernel show both.
  const cases = inPage ? spread(casesOf(kernel), 5) : eachValue(casesOf(kernel), ({ note, params }) => ({ note, ...params }));

  it("has cases", () => {
    expect(cases.length).toBeGreaterThan(0);
  });

  let all: Promise<Started>[] | undefined;
  it.each(cases.map((one, i) => [caseName(one), one, i] as const))("computes what its twin does: %s", async (_, one, i) => {
    all ??= startAll(kernel, cases);
    const expected = expectedOf(kernel, one);
    const [first, second] = await (await all[i]).results;
    for (const [name, actual] of Object.entries(first)) {
      expect(difference(name, actual, expected[name])).toBe("");
      expect(differentByte(name, actual, second[name])).toBe("");
    }
  });
});
