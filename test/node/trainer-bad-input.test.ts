// A trainer refuses wrong input with an RnnError, and leaves model and run as they were.
import { beforeAll, describe, expect, it } from "vitest";
import {
  adam,
  binaryCrossEntropy,
  createBackend,
  crossEntropy,
  Embedding,
  Linear,
  LSTM,
  RnnError,
  Sequential,
  sgd,
  squaredError,
  TextData,
  Trainer,
  type Backend,
  type Batch,
  type ErrorKind,
  type Module,
  type Tensor,
  type TrainerOptions,
  type TrainingData,
} from "webgpu-rnn";
import { decodeSafetensors, encodeSafetensors } from "webgpu-rnn/formats";

let backend: Backend;
beforeAll(async () => {
  backend = await createBackend("cpu");
});

/** For values that the types forbid: callers may be JavaScript. */
const wrong = (value: unknown): never => value as never;

const text = "the whale swam by and the ship sank. ".repeat(20);
const data = TextData.from(text, { batch: 3, steps: 5 });
const size = data.vocabulary.size;
const characterModel = (hidden = 6): Module =>
  new Sequential({ embedding: new Embedding(size, 4), rnn: new LSTM(4, hidden), linear: new Linear(hidden, size) }, { seed: 3 });

const trainerOf = (options: Partial<TrainerOptions> = {}, model = characterModel()): Trainer =>
  new Trainer(model, { backend, data, loss: crossEntropy(), optimizer: adam({ learningRate: 0.01 }), seed: 5, ...options });

async function losses(trainer: Trainer, steps: number): Promise<number[]> {
  const found: number[] = [];
  for await (const { loss } of trainer.run({ steps })) found.push(loss);
  return found;
}

/** The error of a call that must be refused. */
async function refusal(call: () => unknown): Promise<RnnError> {
  try {
    await call();
  } catch (error) {
    expect(error).toBeInstanceOf(RnnError);
    return error as RnnError;
  }
  return expect.fail("nothing was refused");
}

/** Batches of numbers for a Linear(2, 1), with something wrong in one of them. */
function regression(changes: (step: number) => Partial<Batch>): TrainingData {
  return {
    batches: 100,
    batch: (step) => ({
      input: { shape: [3, 1, 2], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
      targets: { shape: [3, 1, 1], data: Float32Array.of(1, 2, 3) },
      startsSequence: true,
      ...changes(step),
    }),
  };
}

const filled = (shape: number[], value: number): Tensor => ({
  shape,
  data: new Float32Array(shape.reduce((p, n) => p * n, 1)).fill(value),
});

describe("a trainer cannot be made with", () => {
  it.each<[string, object, string]>([
    ["no backend", { backend: undefined }, "Trainer: backend must come from createBackend, got undefined"],
    ["a promise of a backend", { backend: Promise.resolve() }, "Trainer: backend must come from createBackend, got a Promise"],
    ["null for data", { data: null }, "Trainer: data must not be null; leave out what is not wanted"],
    [
      "a text for data",
      { data: text.slice(0, 9) },
      'Trainer: data must come from TextData.from or have a function batch(step), got "the whale"',
    ],
    [
      "a loss that was not called",
      { loss: crossEntropy },
      "Trainer: loss must come from crossEntropy() or another loss function, got a function",
    ],
    [
      "the name of a loss",
      { loss: "crossEntropy" },
      'Trainer: loss must come from crossEntropy() or another loss function, got "crossEntropy"',
    ],
    [
      "an optimiser that was not called",
      { optimizer: adam },
      "Trainer: optimizer must come from adam() or another optimiser function, got a function",
    ],
    ["no optimiser", { optimizer: undefined }, "Trainer: optimizer must come from adam() or another optimiser function, got undefined"],
    ["a norm of 0", { clipNorm: 0 }, "Trainer: clipNorm must be a finite number above 0, got 0"],
    ["a negative limit", { clipValue: -1 }, "Trainer: clipValue must be a finite number above 0, got -1"],
    ["NaN for a norm", { clipNorm: NaN }, "Trainer: clipNorm must be a finite number above 0, got NaN"],
    ["text for a switch", { carryState: "yes" }, 'Trainer: carryState must be true or false, got "yes"'],
    ["a fraction of a seed", { seed: 1.5 }, "Trainer: seed must be an integer of at least 0, got 1.5"],
    ["an unknown strategy", { strategy: "fused" }, 'Trainer: strategy must be "scan" or "loop" or "wavefront" or "step", got "fused"'],
    ["an unknown option", { clip: 5 }, 'Trainer: unknown option "clip"; did you mean "clipNorm"?'],
  ])("%s", (_, options, message) => {
    expect(() => trainerOf(options)).toThrow(expect.objectContaining({ name: "RnnError", kind: "option", message }) as Error);
  });

  it("no options, or no model", () => {
    expect(() => new Trainer(characterModel(), wrong(undefined))).toThrow("Trainer: options must be an object, got undefined");
    expect(() => trainerOf({}, wrong({}))).toThrow("model: must be a Module, got an Object");
  });
});

describe("a run refuses", () => {
  it.each<[string, unknown, string]>([
    ["no steps", {}, "Trainer: steps must be an integer of at least 0, got undefined"],
    ["negative steps", { steps: -1 }, "Trainer: steps must be an integer of at least 0, got -1"],
    ["a fraction of a step", { steps: 0.5 }, "Trainer: steps must be an integer of at least 0, got 0.5"],
    ["infinite steps", { steps: Infinity }, "Trainer: steps must be an integer of at least 0, got Infinity"],
    ["a number instead of options", 3, "Trainer: options must be an object, got 3"],
    ["nothing", undefined, "Trainer: options must be an object, got undefined"],
    ["an unknown option", { step: 3 }, 'Trainer: unknown option "step"; did you mean "steps"?'],
    ["a signal that is none", { steps: 1, signal: "stop" }, 'Trainer: signal must be an AbortSignal, got "stop"'],
  ])("%s", async (_, options, message) => {
    const error = await refusal(async () => {
      for await (const { step } of trainerOf().run(wrong(options))) expect.fail(`it made step ${step}`);
    });
    expect(error).toMatchObject({ kind: "option", message });
  });

  it("a second run beside the first, which goes on", async () => {
    const trainer = trainerOf();
    const seen: number[] = [];
    for await (const { step } of trainer.run({ steps: 3 })) {
      seen.push(step);
      expect(await refusal(() => losses(trainer, 1))).toMatchObject({
        kind: "option",
        message: "Trainer: is running already; leave the other loop first",
      });
      expect(await refusal(async () => trainer.restore(await trainer.checkpoint()))).toMatchObject({
        message: "Trainer: is running or restoring; leave the loop, or await what restores, before restoring",
      });
    }
    expect(seen).toEqual([1, 2, 3]);
    expect(await losses(trainer, 1)).toHaveLength(1);
  });

  it("an evaluation on an object that is no data, or on no batches", async () => {
    expect(await refusal(() => trainerOf().evaluate(wrong("text")))).toMatchObject({
      message: 'evaluate: data must come from TextData.from or have a function batch(step), got "text"',
    });
    expect(await refusal(() => trainerOf().evaluate(data, { batches: 0 }))).toMatchObject({
      message: "evaluate: batches must be an integer of at least 1, got 0",
    });
    expect(await refusal(() => trainerOf().evaluate(data, wrong({ batch: 1 })))).toMatchObject({
      message: 'evaluate: unknown option "batch"; did you mean "batches"?',
    });
  });

  it("an optimizer whose schedule returns an invalid learning rate, in that step", async () => {
    const trainer = trainerOf({ optimizer: adam({ learningRate: (step) => (step === 2 ? NaN : 0.1) }) });
    expect(await refusal(() => losses(trainer, 5))).toMatchObject({
      kind: "option",
      message: "adam: learningRate of step 2 must be a finite number of at least 0, got NaN",
    });
    expect(trainer.step).toBe(2);
  });
});

describe("a batch is refused with", () => {
  it.each<[string, Partial<Batch>, ErrorKind, string | RegExp]>([
    ["NaN in the input", { input: filled([3, 1, 2], NaN) }, "data", "inputs: input must be finite numbers, got NaN at index 0"],
    [
      "infinity in the targets",
      { targets: filled([3, 1, 1], Infinity) },
      "data",
      "squaredError: targets must be finite numbers, got Infinity at index 0",
    ],
    ["an input of a wrong size", { input: filled([3, 1, 3], 1) }, "shape", "Linear: input must be [any, any, 2], got [3, 1, 3]"],
    ["targets of a wrong size", { targets: filled([3, 1, 2], 1) }, "shape", "squaredError: targets must be [3, 1, 1], got [3, 1, 2]"],
    ["targets of a wrong rank", { targets: filled([3], 1) }, "shape", "squaredError: targets must be [3, 1, 1], got [3]"],
    ["no steps", { input: filled([0, 1, 2], 1) }, "shape", "inputs: input must have no dimension of size 0, got [0, 1, 2]"],
    ["no input", { input: undefined }, "shape", /^inputs: input must be a tensor/],
    ["no targets", { targets: undefined }, "shape", /^squaredError: targets must be a tensor/],
    ["a mask of a wrong size", { mask: filled([3, 1], 1) }, "shape", "squaredError: mask must be [3, 1, 1], got [3, 1]"],
    [
      "NaN in the mask",
      { mask: filled([3, 1, 1], NaN) },
      "data",
      "squaredError: mask must be finite numbers of at least 0, got NaN at index 0",
    ],
    [
      "a negative weight in the mask",
      { mask: filled([3, 1, 1], -1) },
      "data",
      "squaredError: mask must be finite numbers of at least 0, got -1 at index 0",
    ],
    [
      "an unknown part",
      wrong({ weights: 1 }),
      "option",
      'batch: unknown option "weights"; known options are input, further, lengths, stepMask, targets, mask, startsSequence',
    ],
  ])("%s: the run stops before the step, with the parameters of the one before", async (_, change, kind, message) => {
    const model = new Linear(2, 1, { seed: 1 });
    const bad = new Trainer(model, {
      backend,
      data: regression((step) => (step === 2 ? change : {})),
      loss: squaredError(),
      optimizer: sgd(),
    });
    const error = await refusal(() => losses(bad, 5));
    expect(error.kind).toBe(kind);
    expect(error.message).toMatch(message);
    expect(bad.step).toBe(2);
    const same = new Linear(2, 1, { seed: 1 });
    await losses(new Trainer(same, { backend, data: regression(() => ({})), loss: squaredError(), optimizer: sgd() }), 2);
    expect(await model.stateDict()).toEqual(await same.stateDict());
  });

  it.each([
    [
      "an id out of range",
      { input: { shape: [1, 1], data: Int32Array.of(size) } },
      `inputs: input must be integers from 0 to ${size - 1}, got ${size} at index 0`,
    ],
    [
      "a negative class",
      { targets: { shape: [1, 1], data: Int32Array.of(-1) } },
      `crossEntropy: targets must be integers from 0 to ${size - 1}, got -1 at index 0`,
    ],
    [
      "a class out of range",
      { targets: { shape: [1, 1], data: Int32Array.of(size) } },
      `crossEntropy: targets must be integers from 0 to ${size - 1}, got ${size} at index 0`,
    ],
    [
      "a fraction of a class",
      { targets: { shape: [1, 1], data: Float32Array.of(0.5) } },
      "crossEntropy: targets must be integers, got 0.5 at index 0",
    ],
  ])("%s", async (_, change, message) => {
    const one: Batch = {
      input: { shape: [1, 1], data: Int32Array.of(0) },
      targets: { shape: [1, 1], data: Int32Array.of(0) },
      startsSequence: true,
      ...change,
    };
    expect(await refusal(() => losses(trainerOf({ data: { batches: 1, batch: () => one } }), 1))).toMatchObject({ kind: "data", message });
  });

  it("a probability above 1", async () => {
    const trainer = new Trainer(new Linear(2, 1), { backend, data: regression(() => ({})), loss: binaryCrossEntropy(), optimizer: sgd() });
    expect(await refusal(() => losses(trainer, 1))).toMatchObject({
      kind: "data",
      message: "binaryCrossEntropy: targets must be from 0 to 1, got 2 at index 1",
    });
  });

  it("another size than the states that are carried", async () => {
    const two = [TextData.from(text, { batch: 3, steps: 5 }), TextData.from(text, { batch: 4, steps: 5 })];
    const trainer = trainerOf({ data: { batches: 9, batch: (step) => ({ ...two[step % 2].batch(step), startsSequence: false }) } });
    expect(await refusal(() => losses(trainer, 2))).toMatchObject({
      kind: "shape",
      message:
        "carried.rnn.h: carries 18 numbers, but this batch needs 24; keep the number of rows, or let a batch of another one start its sequences (startsSequence: true)",
    });
  });
});

describe("a loss that is not finite", () => {
  it("stops the run with step and loss, and the parameters are the last whose loss was finite", async () => {
    const model = characterModel();
    const trainer = trainerOf({ optimizer: sgd({ learningRate: (step) => (step < 3 ? 0.1 : 1e38) }) }, model);
    const seen: number[] = [];
    const error = await refusal(async () => {
      for await (const { loss } of trainer.run({ steps: 10 })) seen.push(loss);
    });
    expect(error.kind).toBe("numeric");
    expect(error.message).toMatch(
      new RegExp(
        `^Trainer: step ${seen.length + 1} gave loss \\S+ with gradient norm \\S+; everything is as it was after step ${seen.length - 1}\\. `,
      ),
    );
    expect(seen.every(Number.isFinite)).toBe(true);
    const same = characterModel();
    await losses(trainerOf({ optimizer: sgd({ learningRate: 0.1 }) }, same), 3);
    expect(await model.stateDict()).toEqual(await same.stateDict());
    // And it can continue from there.
    expect(trainer.step).toBe(3);
    expect((await trainer.evaluate(data, { batches: 1 })).loss).toBeLessThan(10);
  });
});

describe("a checkpoint is refused", () => {
  let whole: Uint8Array;
  beforeAll(async () => {
    const trainer = trainerOf();
    await losses(trainer, 4);
    whole = await trainer.checkpoint({ by: "test" });
  });

  /** The checkpoint with something changed. */
  function changed(change: (tensors: Record<string, Tensor>, metadata: Record<string, string>) => void): Uint8Array {
    const { tensors, metadata } = decodeSafetensors(whole);
    change(tensors, metadata);
    return encodeSafetensors(tensors, metadata);
  }

  /** It refuses the call and is unchanged: the run continues like one without that call. */
  async function expectRefusal(
    file: unknown,
    kind: ErrorKind,
    message: string | RegExp,
    options: Partial<TrainerOptions> = {},
    make = characterModel,
  ): Promise<void> {
    const trainer = trainerOf(options, make());
    await losses(trainer, 2);
    const before = await trainer.checkpoint();
    const error = await refusal(() => trainer.restore(wrong(file)));
    expect(error.message).toMatch(message);
    expect(error.kind).toBe(kind);
    expect(await trainer.checkpoint()).toEqual(before);
    const other = trainerOf(options, make());
    expect([...(await losses(other, 2)), ...(await losses(other, 2))].slice(2)).toEqual(await losses(trainer, 2));
  }

  it("truncated anywhere", async () => {
    const trainer = trainerOf();
    for (let length = 0; length < whole.length; length += 97)
      expect(await refusal(() => trainer.restore(whole.subarray(0, length)))).toMatchObject({ kind: "format" });
    await expectRefusal(
      whole.subarray(0, whole.length - 1),
      "format",
      /^safetensors: the file is truncated: "carried\.rnn\.c" ends at byte \d+ of the data, which has \d+$/,
    );
  });

  it("foreign", async () => {
    await expectRefusal(new TextEncoder().encode("once upon a time"), "format", /^safetensors: this is no safetensors file/);
    await expectRefusal(undefined, "format", "safetensors: the file must be a Uint8Array or ArrayBuffer, got undefined");
    await expectRefusal(
      encodeSafetensors(await characterModel().stateDict()),
      "format",
      'checkpoint: metadata must say format "webgpu-rnn checkpoint 1", got undefined; a file of weights alone goes through decodeSafetensors and loadStateDict',
    );
  });

  it("of another model, naming the tensor", async () => {
    await expectRefusal(whole, "format", 'checkpoint: "optimizer.firstMoment.rnn.weight_ih_l0" must be [28, 4], got [24, 4]', {}, () =>
      characterModel(7),
    );
    await expectRefusal(
      changed((tensors) => delete tensors["linear.bias"]),
      "format",
      'loadStateDict: the state dictionary lacks "linear.bias"',
    );
    await expectRefusal(
      changed((tensors) => (tensors["head.bias"] = filled([1], 1))),
      "format",
      'loadStateDict: the state dictionary has unknown "head.bias"',
    );
    await expectRefusal(
      changed((tensors) => (tensors["linear.weight"] = filled([6, size], 1))),
      "format",
      `loadStateDict: "linear.weight" must be [${size}, 6], got [6, ${size}]`,
    );
  });

  it("with NaN in it, naming the tensor", async () => {
    await expectRefusal(
      changed((tensors) => tensors["rnn.bias_hh_l0"].data.fill(NaN, 3, 4)),
      "data",
      'loadStateDict: "rnn.bias_hh_l0" must be finite numbers, got NaN at index 3',
    );
    await expectRefusal(
      changed((tensors) => tensors["optimizer.secondMoment.linear.bias"].data.fill(Infinity, 2, 3)),
      "data",
      'checkpoint: "optimizer.secondMoment.linear.bias" must be finite numbers, got Infinity at index 2',
    );
    await expectRefusal(
      changed((tensors) => tensors["carried.rnn.h"].data.fill(NaN, 1, 2)),
      "data",
      'checkpoint: "carried.rnn.h" must be finite numbers, got NaN at index 1',
    );
  });

  it("of another optimizer", async () => {
    await expectRefusal(whole, "format", 'checkpoint: was made with the optimizer "adam", this trainer has "sgd"', { optimizer: sgd() });
    await expectRefusal(
      changed((tensors) => delete tensors["optimizer.firstMoment.linear.bias"]),
      "format",
      'checkpoint: lacks "optimizer.firstMoment.linear.bias"',
    );
    await expectRefusal(
      changed((tensors) => (tensors["optimizer.velocity.linear.bias"] = filled([size], 1))),
      "format",
      'checkpoint: has "optimizer.velocity.linear.bias", which this trainer\'s optimizer, with its options, does not keep',
    );
  });

  it("of another seed, step or state", async () => {
    await expectRefusal(whole, "format", "checkpoint: was made with seed 5, this trainer has 6; give it the same seed", { seed: 6 });
    await expectRefusal(
      changed((_, metadata) => (metadata.step = "-1")),
      "format",
      'checkpoint: step must be a number, got "-1"',
    );
    await expectRefusal(
      whole,
      "format",
      'checkpoint: "carried.rnn.h" must hold 24 numbers for this trainer\'s batches, got 18; keep the batch size',
      { data: TextData.from(text, { batch: 4, steps: 5 }) },
    );
    await expectRefusal(
      changed((tensors) => delete tensors["carried.rnn.c"]),
      "format",
      'checkpoint: lacks "carried.rnn.c"; was it made with carryState: false?',
    );
    await expectRefusal(whole, "format", 'checkpoint: has "carried.rnn.h", which this trainer does not carry', { carryState: false });
  });

  it("when it is made with reserved names or values that are not text", async () => {
    expect(await refusal(() => trainerOf().checkpoint({ step: "3" }))).toMatchObject({
      kind: "option",
      message: 'checkpoint: metadata cannot be named "step", which the checkpoint itself uses',
    });
    expect(await refusal(() => trainerOf().checkpoint(wrong({ count: 3 })))).toMatchObject({
      kind: "option",
      message: 'encodeSafetensors: metadata "count" must be a text, got 3',
    });
  });

  it("but not by a trainer that it fits, where the run continues bit for bit", async () => {
    const first = trainerOf();
    const all = await losses(first, 7);
    const second = trainerOf({}, characterModel());
    await losses(second, 1);
    await second.restore(whole);
    expect(second.step).toBe(4);
    expect(await losses(second, 3)).toEqual(all.slice(4));
    expect(await second.checkpoint()).toEqual(await first.checkpoint());
    // From before the first step, too.
    const start = await trainerOf().checkpoint();
    await second.restore(start);
    expect(await losses(second, 7)).toEqual(all);
  });
});
