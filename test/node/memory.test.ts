// Nothing is disposed of: unreachable objects must free their memory by themselves, and the others stay usable.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import {
  adam,
  createBackend,
  Embedding,
  forward,
  generateTokens,
  Linear,
  LSTM,
  Sequential,
  crossEntropy,
  TextData,
  Trainer,
  verify,
  type Backend,
  type Tensor,
} from "webgpu-rnn";
import { itThoroughly } from "../thorough.ts";

setFlagsFromString("--expose-gc");
const gc = runInNewContext("gc") as () => void;
const input: Tensor = { shape: [1, 1, 8], data: new Float32Array(8).fill(0.1) };
/** About a megabyte of parameters, and as much of gradients. */
const makeModel = (): LSTM => new LSTM(8, 250);

/** Collects until `value` is at most `most`, for at most two seconds. */
async function settled(value: () => number, most: number): Promise<number> {
  for (let i = 0; i < 400 && value() > most; i++) {
    // What a WeakRef has just given cannot be collected before the next turn.
    await new Promise((resolve) => setTimeout(resolve, 50));
    gc();
  }
  return value();
}

async function runOn(model: LSTM, backend: Backend): Promise<void> {
  await forward(model, input, { backend });
}

it("a model that nobody holds gives its memory back to a backend that lives on", async () => {
  const backend = await createBackend("cpu", { wasm: false });
  await runOn(makeModel(), backend);
  const one = backend.counters.bytes;
  for (let i = 0; i < 5; i++) await runOn(makeModel(), backend);
  expect(await settled(() => backend.counters.bytes, one)).toBeLessThanOrEqual(one);
});

itThoroughly("a model that lives on keeps no backend that nobody holds", async () => {
  const model = makeModel();
  const backend = await createBackend("cpu", { wasm: false });
  await verify(model, { input }, { backend });
  gc();
  const bytes = (): number => process.memoryUsage().arrayBuffers;
  const before = bytes();
  for (let i = 0; i < 4; i++) await verify(model, { input }, { backend });
  expect(await settled(bytes, before + 4e6)).toBeLessThanOrEqual(before + 4e6);
});

describe("of a model that lives on, and is trained", () => {
  const data = TextData.from("the quick brown fox jumps over the lazy dog. ".repeat(20), { batch: 2, steps: 4 });
  const V = data.vocabulary.size;
  const makeCharacters = (): Sequential => new Sequential([new Embedding(V, 4), new LSTM(4, 100), new Linear(100, V)]);
  const makeTrainer = (model: Sequential, backend: Backend): Trainer =>
    new Trainer(model, { backend, data, loss: crossEntropy(), optimizer: adam() });

  it("generations left half-way keep no copies of the parameters", async () => {
    const [model, backend] = [makeCharacters(), await createBackend("cpu")];
    const trainer = makeTrainer(model, backend);
    const leave = async (): Promise<void> => {
      await generateTokens(model, [1], { backend, length: 100 }).next();
      await trainer.train({ steps: 1 });
    };
    // More than one step, and more than one run: the first ones make what all later ones use.
    for (let i = 0; i < 2; i++) await trainer.train({ steps: 2 });
    const before = backend.counters.bytes;
    for (let i = 0; i < 4; i++) await leave();
    expect(await settled(() => backend.counters.bytes, before)).toBe(before);
  });

  it("a loop left half-way keeps neither its trainer nor others from training", async () => {
    const [model, backend] = [makeCharacters(), await createBackend("cpu")];
    const leave = async (): Promise<WeakRef<Trainer>> => {
      const trainer = makeTrainer(model, backend);
      await trainer.run({ steps: 9 }).next();
      return new WeakRef(trainer);
    };
    for (let i = 0; i < 3; i++) {
      const left = await leave();
      await expect(makeTrainer(model, backend).train({ steps: 1 })).rejects.toThrow("another trainer is running on this model");
      expect(await settled(() => (left.deref() ? 1 : 0), 0)).toBe(0);
      expect((await makeTrainer(model, backend).train({ steps: 1 })).steps).toBe(1);
    }
  });

  it("a trainer trains again after its loop was left half-way without a word", async () => {
    const [model, backend] = [makeCharacters(), await createBackend("cpu")];
    const trainer = makeTrainer(model, backend);
    const leave = async (steps: number): Promise<void> => {
      const loop = trainer.run({ steps: 9 });
      for (let i = 0; i < steps; i++) await loop.next();
    };
    for (const steps of [1, 3]) {
      await leave(steps);
      let losses: readonly number[] | undefined;
      await settled(() => {
        if (losses) return 0;
        void trainer.train({ steps: 2 }).then(
          (result) => (losses = result.losses),
          () => undefined,
        );
        return 1;
      }, 0);
      expect(losses).toHaveLength(2);
    }
  });
});
