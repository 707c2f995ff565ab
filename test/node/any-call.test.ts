// Every public function answers every wrong value with an error in words. test/long/any-call.test.ts makes the calls
// that are left
// out here.
import { expect, it } from "vitest";
import * as rnn from "webgpu-rnn/static";
import { problemsOf, problemsOfPairs } from "../calls/any-call.ts";
import { frozen, readOnce, spoil } from "../calls/spoil.ts";
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

/** Data, without what depends on time, and of everything else its kind. */
function dataOf(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return typeof value === "function" ? "a function" : value;
  if (Array.isArray(value)) return value.map(dataOf);
  if (ArrayBuffer.isView(value)) return Array.from(value as Uint8Array);
  if (Object.getPrototypeOf(value) !== Object.prototype) return value.constructor.name;
  const timed = ["seconds", "tokensPerSecond"];
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, timed.includes(name) ? "a time" : dataOf(one)]));
}

const answerOf = async (call: () => unknown): Promise<unknown> => {
  try {
    return dataOf(await call());
  } catch (error) {
    return String(error);
  }
};

/** Batches are taken later, each when its step comes; test/device/inputs-taken.test.ts reuses their arrays. */
const takenLater = ["a batch", "a batch to be evaluated"];

it.each(targets.filter(({ name }) => !takenLater.includes(name)).map((target) => [target.name, target] as const))(
  "%s answers what it was given at the call, and reads it once",
  async (_, { args, call }) => {
    const expected = await answerOf(() => call(...(args() as never[])));
    const changed = args();
    const answer = answerOf(() => {
      const result = call(...(changed as never[]));
      spoil(changed);
      return result;
    });
    expect(await answer, "overwritten after the call").toEqual(expected);
    expect(await answerOf(() => call(...(args().map(frozen) as never[]))), "frozen").toEqual(expected);
    expect(await answerOf(() => call(...(args().map(readOnce) as never[]))), "read once").toEqual(expected);
  },
);

it("every public function and class is called here", () => {
  const called = new Set(targets.flatMap(({ name }) => name.split(/[ '.]/)));
  expect(Object.keys(rnn).filter((name) => !called.has(name) && !withoutArguments.includes(name))).toEqual([]);
  expect(Object.keys(rnn.ops).filter((name) => !called.has(name))).toEqual([]);
});
