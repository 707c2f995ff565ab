// Every wrong value in every place of everything public; and many pairs of them.
import { expect, it } from "vitest";
import { problemsOf, problemsOfPairs } from "../calls/any-call.ts";
import { targets } from "../calls/targets.ts";

it.each(targets.map((target) => [target.name, target] as const))("%s answers whatever it is given", async (_, target) => {
  expect(await problemsOf(target)).toEqual([]);
});

it.each([1, 2, 3, 4])("everything answers two wrong values at once, seed %i", async (seed) => {
  expect(await problemsOfPairs(targets, 10_000, seed)).toEqual([]);
});
