/** A device that is lost when somebody else has just changed the model: what was changed is neither lost nor put in too early. */
import { describe, expect, it } from "vitest";
import { crossEntropy, Embedding, forward, Linear, LSTM, Sequential, sgd, TextData, Trainer, type Backend } from "webgpu-rnn";
import { lose, mortal } from "./mortal-device.ts";
import { backend } from "./support.ts";
import { sampled } from "../thorough.ts";

const data = TextData.from("pack my box with five dozen liquor jugs. ".repeat(20), { batch: 2, steps: 4 });
const V = data.vocabulary.size;
const steps = 16;
const at = 7;
const makeModel = (seed: number): Sequential => new Sequential([new Embedding(V, 3), new LSTM(3, 4), new Linear(4, V)], { seed });
const trainerOf = (on: Backend, every: number): Trainer =>
  new Trainer(makeModel(5), {
    backend: on,
    data,
    loss: crossEntropy(),
    optimizer: sgd({ learningRate: 0.5, momentum: 0.9 }),
    strategy: "step",
    recovery: { seconds: 1e6, steps: every, backend: mortal },
  });
const pause = (milliseconds = 0): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

type Change = (trainer: Trainer) => Promise<unknown>;
/** These read the model, which on a lost device is that of the last copy. */
const reading = ["some values", "training on another backend"];
const changes: Record<string, Change> = {
  "new values": async ({ model }) => model.loadStateDict(await makeModel(77).stateDict()),
  "new values that a forward pass has taken to the device": async ({ model, backend: on }) => {
    model.loadStateDict(await makeModel(77).stateDict());
    // Of no interest if the device is lost.
    await forward(model, data.batch(0).input, { backend: on, strategy: "step" }).catch(() => undefined);
  },
  "new values that a checkpoint has": async (trainer) => {
    trainer.model.loadStateDict(await makeModel(77).stateDict());
    await trainer.checkpoint();
  },
  "some values": ({ model }) => model.stateDict().then((dict) => model.loadStateDict({ ...dict, "2.bias": new Float32Array(V).fill(0.5) })),
  "a freeze": ({ model }) => Promise.resolve(model.freeze("1")),
  "an unfreeze": ({ model }) => Promise.resolve(model.unfreeze("0")),
  "training on another backend": async ({ model }) => {
    const other = new Trainer(model, { backend: await backend("cpu"), data, loss: crossEntropy(), optimizer: sgd({ learningRate: 0.1 }) });
    await other.train({ steps: 2 });
  },
};

/** Losses of a training that is changed between two loops. @param lost called at moments from -1 (before the change) on */
async function losses(on: Backend, every: number, name: string, lost: (moment: number, trainer: Trainer) => unknown): Promise<number[]> {
  const trainer = trainerOf(on, every);
  if (name === "an unfreeze") trainer.model.freeze("0");
  const all = (await trainer.train({ steps: at })).losses;
  await lost(0, trainer);
  await changes[name](trainer);
  await lost(1, trainer);
  const rest = await trainer.train({ steps: steps - at, onProgress: ({ step }) => lost(1 + step - at, trainer) });
  return [...all, ...rest.losses];
}

const sound = new Map<string, Promise<number[]>>();
const uninterrupted = (name: string): Promise<number[]> => {
  const known = sound.get(name) ?? backend("webgpu").then((on) => losses(on, 1000, name, () => undefined));
  sound.set(name, known);
  return known;
};

describe.each(sampled(Object.keys(changes), 2))("a training whose device is lost around %s", (name) => {
  it("goes on as if nothing had been, whatever the moment", async () => {
    for (const [moment, wait] of [
      [0, 0],
      [1, 0],
      [2, 0],
      [1, 1],
    ] as const) {
      if (moment === 0 && reading.includes(name)) continue;
      const told = await losses(await mortal(), 1 + (moment % 3) * 4, name, async (now, { backend: on }) => {
        if (now !== moment) return;
        if (wait) setTimeout(() => lose(on), wait);
        else lose(on);
        await pause();
      });
      expect(told, `moment ${moment}, after ${wait} ms`).toEqual(await uninterrupted(name));
    }
  });
});

it("a change within a loop, and the loss of the device right behind it, lose no step and no change", async () => {
  const run = async (on: Backend, ends: boolean, when: number): Promise<number[]> => {
    const trainer = trainerOf(on, 5);
    const values = await makeModel(77).stateDict();
    const told: number[] = [];
    let pending = false;
    for await (const { loss, step } of trainer.run({ steps })) {
      told.push(loss);
      // Steps in flight are of before the change: none is, so that it is known where it comes.
      if (step === when && !pending) {
        pending = true;
        break;
      }
    }
    const first = trainer.step;
    trainer.model.loadStateDict(values);
    trainer.model.freeze("2.bias");
    if (ends) lose(on);
    told.push(...(await trainer.train({ steps: steps - first })).losses);
    return told;
  };
  for (const when of [3, 8]) expect(await run(await mortal(), true, when)).toEqual(await run(await backend("webgpu"), false, when));
});

// A loop that ends makes a copy, which may take until after the restore.
it.each(sampled([undefined, 0, 1, 2, 5, 10, 20], 3))(
  "the model of a training that was restored is what was restored when the device is lost: restored %s ms after a loop",
  async (milliseconds) => {
    const trainer = trainerOf(await mortal(), 1000);
    const file = await trainer.checkpoint();
    const dict = await trainer.model.stateDict();
    await trainer.train({ steps: 12 });
    if (milliseconds !== undefined) await pause(milliseconds);
    await trainer.restore(file);
    await trainer.train({ steps: 2 });
    lose(trainer.backend);
    await trainer.backend.lost;
    expect(await trainer.model.stateDict()).toEqual(dict);
    const again = await trainer.train({ steps: 2 });
    const other = trainerOf(await backend("webgpu"), 1000);
    expect(again.losses).toEqual((await other.train({ steps: 4 })).losses.slice(2));
  },
);
