// The twins of losses, activations and softmax against PyTorch: values and gradients in float64.
import { describe, expect, it } from "vitest";
import { activationBackward, activationForward, activationKinds } from "../../src/kernels/activations.ts";
import { crossEntropy } from "../../src/kernels/cross-entropy.ts";
import { binaryCrossEntropy, squaredError } from "../../src/kernels/element-losses.ts";
import { lossSum, normalizerOf } from "../../src/kernels/losses.ts";
import { softmaxBackward, softmaxForward } from "../../src/kernels/softmax.ts";
import lossCases from "../fixtures/pytorch/losses.json";
import moduleCases from "../fixtures/pytorch/modules.json";
import { twinOf } from "../../src/backend/all-twins.ts";

interface Fixture {
  shape: number[];
  data: number[];
}

interface LossCase {
  case: string;
  params: { reduction: "mean" | "sum" | "none"; ignore_index?: number };
  input: Fixture;
  target: Fixture;
  expected: Fixture;
  gradInput: Fixture;
}

function expectClose(what: string, actual: ArrayLike<number>, expected: readonly number[]): void {
  expected.forEach((b, i) =>
    expect(Math.abs(actual[i] - b), `${what}[${i}]: ${actual[i]}, PyTorch has ${b}`).toBeLessThan(1e-7 + 1e-7 * Math.abs(b)),
  );
}

/** Losses, reported loss and gradient of a case, through the kernels of a loss. */
function run(c: LossCase): { losses: Float64Array; loss: number; gradient: Float64Array } {
  const [rows, columns] = c.input.shape;
  const ofClasses = c.case.startsWith("cross_entropy");
  const count = ofClasses ? rows : rows * columns;
  const weights = new Float64Array(count).fill(1);
  const losses = new Float64Array(count);
  const gradient = new Float64Array(rows * columns);
  const input = Float64Array.from(c.input.data);
  const ignoreIndex = c.params.ignore_index ?? -100;
  const targets = ofClasses ? Int32Array.from(c.target.data) : new Int32Array(1);
  const mean = c.params.reduction === "mean";
  const normalizer = ofClasses
    ? normalizerOf(targets, weights, { ignoreIndex, mean })
    : normalizerOf(Float64Array.from(c.target.data), undefined, { mean });
  if (ofClasses) {
    twinOf(crossEntropy)({ logits: input, targets, weights, normalizer, losses, dLogits: gradient }, { rows, columns, ignoreIndex });
  } else {
    const arrays = { x: input, targets: Float64Array.from(c.target.data), weights, normalizer, losses, dx: gradient };
    if (c.case.startsWith("mse")) twinOf(squaredError)(arrays, { length: count, factor: 1 });
    else twinOf(binaryCrossEntropy)(arrays, { length: count });
  }
  const loss = new Float64Array(1);
  twinOf(lossSum)({ losses, normalizer, loss }, { length: count });
  return { losses, loss: loss[0], gradient };
}

const kernelsOf = /^(cross_entropy|cross_entropy_ignore_index|cross_entropy_extreme_logits|mse|bce_with_logits|bce_with_logits_extreme)\//;
const cases = (lossCases as unknown as LossCase[]).filter((c) => kernelsOf.test(c.case));

describe("losses", () => {
  it.each(cases.map((c) => [c.case, c] as const))("agree with PyTorch: %s", (_, c) => {
    const { losses, loss, gradient } = run(c);
    expectClose("loss", c.params.reduction === "none" ? losses : [loss], c.expected.data);
    expectClose("gradient", gradient, c.gradInput.data);
  });

  it("give zeros for rows without weight, whatever is in them", () => {
    const arrays = {
      logits: Float64Array.of(NaN, Infinity, 1, 2),
      targets: Int32Array.of(0, 1),
      weights: Float64Array.of(0, 2),
      normalizer: Float64Array.of(2, 0.5),
      losses: new Float64Array(2),
      dLogits: new Float64Array(4).fill(9),
    };
    twinOf(crossEntropy)(arrays, { rows: 2, columns: 2, ignoreIndex: -1 });
    expect(arrays.losses[0]).toBe(0);
    expect([...arrays.dLogits.subarray(0, 2)]).toEqual([0, 0]);
    expect(arrays.losses[1]).toBeCloseTo(2 * Math.log(1 + Math.exp(-1)), 12);
  });

  it("give 0, not NaN, for a mean over nothing", () => {
    expect([...normalizerOf(Int32Array.of(-1, -1), undefined, { ignoreIndex: -1, mean: true })]).toEqual([0, 0]);
  });
});

interface ModuleCase {
  case: string;
  x: Fixture;
  expected: Fixture;
  cotangent: Fixture;
  dx: Fixture;
}

describe("activations", () => {
  const modules = moduleCases as unknown as ModuleCase[];
  const caseOf = (name: string): ModuleCase => modules.find((c) => c.case === `act_${name}`)!;

  it.each(["sigmoid", "tanh", "relu"] as const)("agree with PyTorch: %s", (name) => {
    const c = caseOf(name);
    const length = c.x.data.length;
    const kind = activationKinds[name];
    const y = new Float64Array(length);
    twinOf(activationForward)({ x: Float64Array.from(c.x.data), y }, { length, kind });
    expectClose("y", y, c.expected.data);
    const dx = new Float64Array(length).fill(1);
    twinOf(activationBackward)({ y, dy: Float64Array.from(c.cotangent.data), dx }, { length, kind, accumulate: 1 });
    expectClose(
      "dx",
      dx.map((d) => d - 1),
      c.dx.data,
    );
  });

  it.each([
    ["softmax", 0],
    ["log_softmax", 1],
  ] as const)("agree with PyTorch: %s", (name, log) => {
    const c = caseOf(name);
    const columns = c.x.shape[c.x.shape.length - 1];
    const rows = c.x.data.length / columns;
    const y = new Float64Array(rows * columns);
    twinOf(softmaxForward)({ x: Float64Array.from(c.x.data), y }, { rows, columns, log });
    expectClose("y", y, c.expected.data);
    const dx = new Float64Array(rows * columns);
    twinOf(softmaxBackward)({ y, dy: Float64Array.from(c.cotangent.data), dx }, { rows, columns, log, accumulate: 0 });
    expectClose("dx", dx, c.dx.data);
  });
});
