// Every public function answers every wrong value with an error in words. test/long/any-call.test.ts makes the calls
// that are left
// out here.
import { expect, it } from "vitest";
import * as rnn from "webgpu-rnn/static";
import { problemsOf, problemsOfPairs } from "../calls/any-call.ts";
import { targets } from "../calls/targets.ts";

/** Taken without arguments, or made to be extended. */
const withoutArguments = ["Module", "ReLU", "Sigmoid"];
const stride = 5;

it.each(targets.map((target, i) => [target.name, target, i] as const))("%s answers whatever it is given", async (_, target, i) => {
  if (target.args().length > 0) await target.call(...(target.args() as never[]));
  expect(await problemsOf(target, stride, i % stride)).toEqual([]);
});

it("everything answers two wrong values at once", async () => {
  expect(await problemsOfPairs(targets, 2000, 20)).toEqual([]);
});

it("every public function and class is called here", () => {
  const called = new Set(targets.flatMap(({ name }) => name.split(/[ '.]/)));
  expect(Object.keys(rnn).filter((name) => !called.has(name) && !withoutArguments.includes(name))).toEqual([]);
  expect(Object.keys(rnn.ops).filter((name) => !called.has(name))).toEqual([]);
});
