// A sample of the long suite's changed shaders: some kinds, where a device compiles quickly.
import { expect, it } from "vitest";
import { expectNamed, kernelsNamed } from "./shader-mutation.ts";
import { shaderMutants } from "./shader-mutants.ts";

it.each([
  ["a sign", "squared-error", "weight * 2.0"],
  ["a bound", "embedding-scatter", "first += 2048u"],
  ["what is kept for the next step", "adam", "secondMoment[i] = v;"],
  ["which tokens are likely enough", "sample-token", "total >= topK"],
] as const)("verify finds %s in %s", async (_, file, from) => {
  const mutant = shaderMutants.find((one) => one.file === file && one.from.includes(from))!;
  expect(mutant).toBeDefined();
  expectNamed(mutant, await kernelsNamed(mutant));
});
