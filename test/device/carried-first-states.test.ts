/** Training with carried states, of a model that gives its layers first states: sequences begin with these, and learn them. */
import { describe, expect, it } from "vitest";
import { forward, Linear, Sequential, sgd, squaredError, Trainer, type Backend, type TrainingData } from "webgpu-rnn";
import { LearntStates } from "./learnt-states.ts";
import { backend, expectClose, kinds, numbers, sizeOf } from "./support.ts";

const [T, B, I, H] = [3, 2, 3, 4];
const make = () => new Sequential({ own: new LearntStates(I, H), out: new Linear(H, 1) }, { seed: 5 });
const tensor = (shape: number[], seed: number) => ({ shape, data: numbers(sizeOf(shape), seed) });

/** Batches, of which those in `starts` begin sequences. The second of each sequence has no target that counts. */
const dataOf = (starts: readonly number[]) => ({
  batches: 6,
  batch: (i: number) => ({
    input: tensor([T, B, I], i + 1),
    targets: tensor([T, B, 1], i + 20),
    mask: { shape: [T, B, 1], data: new Float32Array(T * B).fill(starts.includes(i - 1) ? 0 : 1) },
    // The first batch begins sequences without a word.
    startsSequence: starts.includes(i) && i > 0,
  }),
});

const trainerOf = (on: Backend, data: TrainingData, carryState: boolean, model = make()): Trainer =>
  new Trainer(model, { backend: on, data, loss: squaredError(), optimizer: sgd({ learningRate: 0.1 }), carryState, strategy: "step" });

describe.each(kinds)("on %s", (kind) => {
  it.each([[[0]], [[0, 2]], [[0, 3]]])("an evaluation sees what forward gives for whole sequences that begin at %o", async (starts) => {
    const on = await backend(kind);
    const data = dataOf(starts);
    const model = make();
    const found = await trainerOf(on, data, true, model).evaluate();
    let sum = 0;
    let count = 0;
    for (const [n, first] of starts.entries()) {
      const batches = Array.from({ length: (starts[n + 1] ?? 6) - first }, (_, i) => data.batch(first + i));
      const input = { shape: [T * batches.length, B, I], data: Float32Array.from(batches.flatMap(({ input: { data: x } }) => [...x])) };
      const { output } = await forward(model, input, { backend: on, strategy: "step" });
      batches
        .flatMap(({ targets, mask }) => [...targets.data].map((y, i) => [y, mask.data[i]]))
        .forEach(([y, weight], i) => {
          sum += weight * (output.data[i] - y) ** 2;
          count += weight;
        });
    }
    expect(found.targets).toBe(count);
    expectClose("loss", [found.loss], [sum / count]);
  });

  it("a step that begins a sequence learns the first states as one without carried states does, and a step that goes on does not", async () => {
    const on = await backend(kind);
    const data = dataOf([0, 2]);
    const [carrying, other] = [trainerOf(on, data, true), trainerOf(on, data, false)];
    const first = await other.model.stateDict();
    await carrying.train({ steps: 1 });
    await other.train({ steps: 1 });
    const learnt = await carrying.model.stateDict();
    for (const [name, { data: expected }] of Object.entries(await other.model.stateDict()))
      expect(learnt[name].data, name).toEqual(expected);
    for (const name of ["own.h", "own.c"]) expect(learnt[name].data).not.toEqual(first[name].data);
    await carrying.train({ steps: 1 });
    expect((await carrying.model.stateDict())["own.h"].data).toEqual(learnt["own.h"].data);
    await carrying.train({ steps: 1 });
    expect((await carrying.model.stateDict())["own.h"].data).not.toEqual(learnt["own.h"].data);
  });

  it("a training goes on from a checkpoint bit for bit, wherever in a sequence it was taken", async () => {
    const on = await backend(kind);
    const losses = async (trainer: Trainer, steps: number): Promise<number[]> => {
      const all: number[] = [];
      for await (const { loss } of trainer.run({ steps })) all.push(loss);
      return all;
    };
    const whole = await losses(trainerOf(on, dataOf([0, 3]), true), 6);
    for (const cut of kind === "cpu" ? [1, 2, 3, 4] : [3]) {
      const begun = trainerOf(on, dataOf([0, 3]), true);
      const before = await losses(begun, cut);
      const next = trainerOf(on, dataOf([0, 3]), true);
      await next.restore(await begun.checkpoint());
      expect([...before, ...(await losses(next, 6 - cut))], `cut after ${cut}`).toEqual(whole);
    }
  });
});
