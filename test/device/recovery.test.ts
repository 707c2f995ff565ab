/** A device that is lost while a model trains costs time, not the training. */
import { describe, expect, it } from "vitest";
import {
  adam,
  calibrate,
  createBackend,
  crossEntropy,
  Dropout,
  Embedding,
  forward,
  generate,
  Linear,
  LSTM,
  Sequential,
  sgd,
  TextData,
  Trainer,
  verify,
  type Backend,
  type Progress,
  type TrainerOptions,
} from "webgpu-rnn";
import { replaceBackend } from "../../src/backend/replace-backend.ts";
import { lose, mortal } from "./mortal-device.ts";
import { backend, expectClose } from "./support.ts";
import { sampled } from "../thorough.ts";

const data = TextData.from("the quick brown fox jumps over the lazy dog. ".repeat(20), { batch: 2, steps: 4 });
const V = data.vocabulary.size;
const { input } = data.batch(0);
const steps = 40;
const makeModel = (): Sequential => new Sequential([new Embedding(V, 4), new LSTM(4, 8), new Dropout(0.2), new Linear(8, V)], { seed: 5 });
const trainerOf = (on: Backend, options: Partial<TrainerOptions> = {}): Trainer => {
  return new Trainer(makeModel(), {
    backend: on,
    data,
    loss: crossEntropy(),
    optimizer: adam({ learningRate: 0.02 }),
    clipNorm: 1,
    strategy: "step",
    seed: 3,
    ...options,
  });
};

const pause = (milliseconds = 0): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));
const recovery = { seconds: 1e6, backend: mortal };

let curve: Promise<number[]> | undefined;
/** Losses if nothing goes wrong. */
const uninterrupted = (): Promise<number[]> =>
  (curve ??= backend("webgpu")
    .then((on) => trainerOf(on).train({ steps }))
    .then(({ losses }) => losses));

/** Trains to the end; `act` is called before the first step and after each. */
async function trained(trainer: Trainer, act: (step: number, progress?: Progress) => unknown = () => undefined): Promise<Progress[]> {
  const told: Progress[] = [];
  await act(trainer.step);
  await trainer.train({
    steps: steps - trainer.step,
    onProgress: async (progress) => {
      told.push(progress);
      await act(progress.step, progress);
    },
  });
  return told;
}

function expectWhole(told: readonly Progress[], losses: readonly number[]): void {
  expect(told.map(({ step }) => step)).toEqual(losses.map((_, i) => i + 1));
  expect(told.map(({ loss }) => loss)).toEqual(losses);
}

describe("a training whose device is lost", () => {
  it("continues as if nothing had happened, whatever the step and however old the copy is", async () => {
    const losses = await uninterrupted();
    const moments = Array.from({ length: 20 }, (_, i) => i);
    for (const i of sampled(moments, 3)) {
      const [at, every] = [(i * 29) % steps, 1 + ((i * 7) % 13)];
      const on = await mortal();
      const trainer = trainerOf(on, { recovery: { steps: every, backend: mortal } });
      const told = await trained(trainer, async (step) => {
        if (step !== at) return;
        if (i % 3 === 1) await pause(i);
        lose(on);
        if (i % 3 === 2) await pause();
      });
      expectWhole(told, losses);
      const recovered = told.filter((progress) => progress.recovered);
      expect(recovered).toHaveLength(1);
      expect(recovered[0].recovered).toMatchObject({
        backend: trainer.backend.adapter,
        reason: expect.stringMatching(/device is gone/) as string,
      });
      expect(recovered[0].recovered!.step).toBeLessThanOrEqual(at + 4);
      expect(recovered[0].recovered!.step).toBeGreaterThanOrEqual(at - 2 * every - 4);
      expect(trainer.backend).not.toBe(on);
      expect(trainer.step).toBe(steps);
    }
  });

  it("outlives several devices, one after the other, and asks for each batch once", async () => {
    const asked: number[] = [];
    const once = { batches: data.batches, batch: (step: number, batchFirst: boolean) => (asked.push(step), data.batch(step, batchFirst)) };
    const trainer = trainerOf(await mortal(), { data: once, recovery });
    const told = await trained(trainer, (step) => step % 9 === 4 && lose(trainer.backend));
    expectWhole(told, await uninterrupted());
    expect(told.filter(({ recovered }) => recovered).map(({ recovered }) => recovered!.step)).toEqual([0, 0, 0, 0]);
    expect(asked).toEqual(Array.from({ length: steps }, (_, i) => i));
  });

  const beside: Record<string, (on: Backend, trainer: Trainer) => Promise<unknown>> = {
    generate: (on, { model }) => generate(model, { backend: on, vocabulary: data.vocabulary, length: 70 }),
    forward: (on, { model }) => forward(model, input, { backend: on, strategy: "step" }),
    verify: (on, { model }) => verify(model, { input }, { backend: on }),
    calibrate: (on) => calibrate(on),
    stateDict: (_, { model }) => model.stateDict(),
    evaluate: (_, trainer) => trainer.evaluate(data, { batches: 5 }),
    checkpoint: (_, trainer) => trainer.checkpoint(),
  };

  it.each(sampled(Object.keys(beside), 4))("goes on when it happens during %s, which ends with a result or a typed error", async (name) => {
    const moments = [
      [8, 2],
      [3, 0],
      [17, 9],
    ] as const;
    for (const [at, after] of sampled(moments, 1)) {
      const on = await mortal();
      const trainer = trainerOf(on, { recovery });
      let end: Promise<unknown> | undefined;
      const told = await trained(trainer, async (step) => {
        if (step !== at) return;
        end = beside[name](on, trainer).then(
          () => "result",
          (error: unknown) => error,
        );
        await pause(after);
        lose(on);
      });
      expectWhole(told, await uninterrupted());
      const ended = await end;
      // Calls that take a backend need a new one; the trainer's own calls switch by themselves.
      if (ended !== "result")
        expect([ended, name]).toMatchObject([
          { name: "RnnError", kind: "device" },
          expect.not.stringMatching(/stateDict|evaluate|checkpoint/),
        ]);
    }
  });

  it("continues as if nothing had happened when the device is lost between two runs", async () => {
    const losses = await uninterrupted();
    const sound = trainerOf(await backend("webgpu"));
    await sound.train({ steps: 25 });
    const [file, evaluation] = [await sound.checkpoint(), await sound.evaluate(data, { batches: 3 })];
    for (const ask of sampled(["run", "checkpoint", "evaluate", "restore"] as const, 2)) {
      const on = await mortal();
      const trainer = trainerOf(on, { recovery });
      const told = (await trainer.train({ steps: 25 })).losses;
      lose(on);
      await on.lost;
      if (ask === "checkpoint") expect(await trainer.checkpoint()).toEqual(file);
      if (ask === "evaluate") expect(await trainer.evaluate(data, { batches: 3 })).toEqual(evaluation);
      if (ask === "restore") await trainer.restore(file);
      expect(trainer.step).toBe(25);
      told.push(...(await trainer.train({ steps: steps - 25 })).losses);
      expect(told).toEqual(losses);
    }
  });

  it("goes on after a loop was left with steps in flight", async () => {
    const on = await mortal();
    const trainer = trainerOf(on, { recovery });
    const told: number[] = [];
    for await (const { loss } of trainer.run({ steps })) {
      told.push(loss);
      if (told.length === 7) {
        lose(on);
        break;
      }
    }
    const at = trainer.step;
    const rest = (await trainer.train({ steps: steps - at })).losses;
    const losses = await uninterrupted();
    expect([told, rest]).toEqual([losses.slice(0, 7), losses.slice(at)]);
  });

  it("takes new values that came from the host in the meantime", async () => {
    const on = await mortal();
    const trainer = trainerOf(on, { recovery });
    await trainer.train({ steps: 5 });
    const weights = await makeModel().stateDict();
    lose(on);
    await on.lost;
    trainer.model.loadStateDict(weights);
    const {
      losses: [loss],
    } = await trainer.train({ steps: 1 });
    const sound = trainerOf(await backend("webgpu"));
    await sound.train({ steps: 5 });
    sound.model.loadStateDict(weights);
    expect(loss).toBe((await sound.train({ steps: 1 })).losses[0]);
  });

  it("leaves the model with the values of the last copy, on any backend", async () => {
    const on = await mortal();
    const trainer = trainerOf(on, { recovery: { steps: 4, backend: mortal } });
    const model = trainer.model;
    const known: Record<string, unknown>[] = [];
    await trainer.train({ steps: 20, onProgress: async () => known.push(await model.stateDict()) });
    lose(on);
    await on.lost;
    const left = await model.stateDict();
    expect(known).toContainEqual(left);
    expect(left).not.toEqual(known[0]);
    const { output } = await forward(model, input, { backend: await backend("cpu") });
    const other = makeModel();
    other.loadStateDict(left);
    expect(output).toEqual((await forward(other, input, { backend: await backend("cpu") })).output);
  });

  it("continues from the state before a step that was not finite", async () => {
    const on = await mortal();
    let broken = true;
    const optimizer = sgd({ learningRate: (step) => (broken && step === 9 ? 1e30 : 0.1), momentum: 0.9 });
    const trainer = trainerOf(on, { optimizer, recovery: { steps: 2, backend: mortal } });
    await expect(trainer.train({ steps })).rejects.toMatchObject({ kind: "numeric" });
    const at = trainer.step;
    broken = false;
    const file = await trainer.checkpoint();
    lose(on);
    await on.lost;
    expect(trainer.step).toBe(at);
    expect(await trainer.checkpoint()).toEqual(file);
    expect((await trainer.train({ steps: 3 })).losses.every(Number.isFinite)).toBe(true);
  });

  it("ends the training with a typed error if recovery is off, or the program itself has ended the backend", async () => {
    for (const [options, end] of [
      [{ recovery: false }, lose],
      [{ recovery }, (on: Backend) => on.destroy()],
    ] as const) {
      const on = await mortal();
      const trainer = trainerOf(on, options);
      await expect(trained(trainer, (step) => step === 5 && end(on))).rejects.toMatchObject({ name: "RnnError", kind: "device" });
    }
  });

  it("moves to the CPU when devices do not last, and when none is left", async () => {
    const losses = await uninterrupted();
    const on = await createBackend("webgpu");
    const trainer = trainerOf(on);
    const told = await trained(trainer, (step) => step === 11 && lose(trainer.backend));
    expect(trainer.backend.kind).toBe("webgpu");
    expect(trainer.backend).not.toBe(on);
    expectWhole(told, losses);
    trainer.backend.destroy();

    const cpu = await replaceBackend(on, false);
    expect([cpu.kind, cpu.reason]).toEqual(["cpu", expect.stringMatching(/was lost, and its devices do not last/)]);
    const moving = trainerOf(await mortal(), { recovery: { backend: () => cpu } });
    const slower = await trained(moving, (step) => step === 11 && lose(moving.backend));
    expect(moving.backend).toBe(cpu);
    expect(slower.find(({ recovered }) => recovered)!.recovered!.backend).toBe(cpu.adapter);
    expectClose(
      "losses",
      slower.map(({ loss }) => loss),
      losses,
    );
  });

  it("ends when every device dies at once", async () => {
    const dying = async (): Promise<Backend> => {
      const on = await mortal();
      setTimeout(() => lose(on));
      return on;
    };
    const trainer = trainerOf(await dying(), {
      recovery: { backend: dying },
      data: { batches: 1, batch: () => pause(20).then(() => data.batch(0)) },
    });
    await expect(trainer.train({ steps: 5 })).rejects.toMatchObject({ name: "RnnError", kind: "device" });
  });

  it("refuses wrong options by name", async () => {
    const on = await backend("cpu");
    for (const [wrong, message] of [
      [5, /recovery must be false or an object, got 5/],
      [{ seconds: -1 }, /seconds/],
      [{ steps: 0 }, /steps/],
      [{ backend: 3 }, /backend/],
      [{ every: 3 }, /unknown option "every"/],
    ] as const) {
      expect(() => trainerOf(on, { recovery: wrong as never })).toThrow(message);
    }
  });
});
