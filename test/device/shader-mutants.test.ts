// A sample of the long suite's changed shaders: one of each kind, where a device compiles quickly.
import { expect, it } from "vitest";
import { expectNamed, kernelsNamed } from "./shader-mutation.ts";
import { shaderMutants } from "./shader-mutants.ts";

it.each([
  ["a sign", "squared-error", "weight * 2.0"],
  ["a bound", "embedding-scatter", "first += 2048u"],
  ["a swapped pair", "dropout", "words.w"],
  ["a dropped sum", "matmul-small-m", "share < 8u"],
  ["a constant", "lib/philox", "round < 10u"],
  ["an index off by one", "embedding-gather", "+ i % params.columns"],
  ["what is kept for the next step", "adam", "secondMoment[i] = v;"],
  ["what only an unhealthy step does", "gradient-norm", "norm[2] != 0.0"],
  ["which tokens are likely enough", "sample-token", "total >= topK"],
] as const)("verify finds %s in %s", async (_, file, from) => {
  const mutant = shaderMutants.find((one) => one.file === file && one.from.includes(from))!;
  expect(mutant).toBeDefined();
  expectNamed(mutant, await kernelsNamed(mutant));
});
