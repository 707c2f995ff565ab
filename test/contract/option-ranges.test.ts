// What an optimiser or a schedule takes: a number at the edge of its range, and none beyond.
import { describe, expect, it } from "vitest";
import { adam, adamw, constant, cosine, nadam, rmsprop, RnnError, sgd, stepDecay, type Optimizer } from "webgpu-rnn";
import { checkOptimizer } from "../../src/optim/optimizer.ts";

const tiny = 1e-30;
/** Numbers that are taken, and numbers that are refused. */
type Range = readonly [taken: readonly number[], refused: readonly number[]];
const notNegative: Range = [
  [0, 3e38],
  [-tiny, -1, Infinity, NaN],
];
const positive: Range = [[tiny], [0, -1, NaN]];
const fraction: Range = [
  [0, 0.999],
  [-tiny, 1, 1.5, NaN],
];
const any: Range = [
  [-3e38, 0, 3e38],
  [1e39, -1e39, NaN],
];
const from = (least: number): Range => [
  [least, 1e6],
  [least - 1, least + 0.5, NaN],
];

const adamRanges = { learningRate: notNegative, beta1: fraction, beta2: fraction, eps: positive, weightDecay: notNegative };
const rate = { learningRate: 1 };
const makers: [string, (options: object) => unknown, Record<string, Range>][] = [
  ["sgd", sgd, { learningRate: notNegative, momentum: notNegative, dampening: any, weightDecay: notNegative }],
  ["rmsprop", rmsprop, { learningRate: notNegative, alpha: fraction, eps: positive, momentum: notNegative, weightDecay: notNegative }],
  ["adam", adam, adamRanges],
  ["adamw", adamw, adamRanges],
  ["nadam", nadam, { ...adamRanges, momentumDecay: notNegative }],
  ["stepDecay", (o) => stepDecay({ ...rate, stepSize: 1, ...o }), { learningRate: notNegative, stepSize: from(1), gamma: notNegative }],
  [
    "cosine",
    (o) => cosine({ ...rate, totalSteps: 1e9, ...o }),
    { learningRate: notNegative, minimum: notNegative, warmupSteps: from(0), totalSteps: from(1) },
  ],
  ["cosine after a warm-up", (o) => cosine({ ...rate, totalSteps: 6, warmupSteps: 5, ...o }), { totalSteps: from(6) }],
  ["constant", ({ learningRate }: { learningRate?: number }) => constant(learningRate!), { learningRate: notNegative }],
];

const steps = Object.entries({ "a number that is negative": -tiny, "no number": NaN, nothing: undefined });

describe("an option's range", () => {
  it.each(makers.flatMap(([name, make, ranges]) => Object.entries(ranges).map(([option, range]) => [name, option, make, range] as const)))(
    "%s: %s",
    (_, option, make, [taken, refused]) => {
      for (const value of taken) expect(() => make({ [option]: value }), `${value}`).not.toThrow();
      for (const value of refused) expect(() => make({ [option]: value }), `${value}`).toThrow(RnnError);
    },
  );

  it("Nesterov's momentum needs a momentum and no dampening", () => {
    expect(() => sgd({ nesterov: true, momentum: 0.5 })).not.toThrow();
    expect(() => sgd({ momentum: 0, dampening: 0.5 })).not.toThrow();
    for (const others of [{}, { momentum: 0 }, { momentum: 0.5, dampening: 0.1 }, { momentum: 0, dampening: 0.1 }])
      expect(() => sgd({ nesterov: true, ...others })).toThrow("nesterov needs a momentum above 0 and no dampening");
  });
});

describe("a learning rate that is a function", () => {
  const makes: [string, (learningRate: (step: number) => number) => Optimizer][] = [
    ["sgd", (learningRate) => sgd({ learningRate })],
    ["rmsprop", (learningRate) => rmsprop({ learningRate })],
    ["adam", (learningRate) => adam({ learningRate })],
  ];
  it.each(makes)("is asked for each step, and may not give what no learning rate is: %s", (_, make) => {
    const optimizer = make((step) => step / 8);
    expect([0, 1, 5].map((step) => optimizer.control(step, 9)[0])).toEqual([0, 0.125, 0.625]);
    for (const [what, value] of steps)
      expect(() => make((step) => (step === 2 ? (value as number) : 1)).control(2, 0), what).toThrow(/learningRate of step 2/);
  });
});

it("an optimiser that lacks a part is none", () => {
  const whole = adam();
  expect(() => checkOptimizer("here", whole)).not.toThrow();
  for (const part of ["name", "schedule", "slots", "record", "control"])
    expect(() => checkOptimizer("here", { ...whole, [part]: undefined }), part).toThrow("here: optimizer must come from adam()");
});

it("an optimiser keeps the slots that its options need", () => {
  const used = ({ slots }: Optimizer): string[] => slots.flatMap(({ name, used: isUsed }) => (isUsed ? [name] : []));
  expect(used(sgd())).toEqual([]);
  expect(used(sgd({ momentum: tiny }))).toEqual(["velocity"]);
  expect(used(rmsprop())).toEqual(["squareAverage"]);
  expect(used(rmsprop({ centered: true }))).toEqual(["squareAverage", "gradientAverage"]);
  expect(used(rmsprop({ momentum: tiny }))).toEqual(["squareAverage", "velocity"]);
  for (const make of [adam, adamw, nadam]) expect(used(make())).toEqual(["firstMoment", "secondMoment"]);
});
