// Nothing is disposed of: unreachable objects must free their memory by themselves, and the others stay usable.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { createBackend, forward, LSTM, verify, type Backend, type Tensor } from "webgpu-rnn";

setFlagsFromString("--expose-gc");
const gc = runInNewContext("gc") as () => void;
const input: Tensor = { shape: [1, 1, 8], data: new Float32Array(8).fill(0.1) };
/** About a megabyte of parameters, and as much of gradients. */
const makeModel = (): LSTM => new LSTM(8, 250);

/** Collects until `value` is at most `most`, for at most two seconds. */
async function settled(value: () => number, most: number): Promise<number> {
  for (let i = 0; i < 400 && value() > most; i++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 50));
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

it("a model that lives on keeps no backend that nobody holds", async () => {
  const model = makeModel();
  const backend = await createBackend("cpu", { wasm: false });
  await verify(model, { input }, { backend });
  gc();
  const bytes = (): number => process.memoryUsage().arrayBuffers;
  const before = bytes();
  for (let i = 0; i < 4; i++) await verify(model, { input }, { backend });
  expect(await settled(bytes, before + 4e6)).toBeLessThanOrEqual(before + 4e6);
});
