/** What is no file is refused alike before the code for checkpoints is loaded and after. A file of its own: it must come first. */
import { expect, it } from "vitest";
import { adam, createBackend, crossEntropy, Embedding, Linear, LSTM, Sequential, TextData, Trainer, type RnnError } from "webgpu-rnn";

function detached(): Uint8Array {
  const bytes = new Uint8Array(100);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  return bytes;
}
const wrong: Record<string, () => unknown> = {
  "a view of no numbers": () => new DataView(new ArrayBuffer(16)),
  "a detached array": detached,
  "an array whose slice is no function": () => Object.assign(new Uint8Array(9), { slice: 5 }),
  "shared bytes": () => new SharedArrayBuffer(16),
  "no bytes": () => "file",
};

it("refuses what is no file in words, before its code is loaded and after", async () => {
  const data = TextData.from("abcd ".repeat(80), { batch: 2, steps: 4 });
  const V = data.vocabulary.size;
  const model = new Sequential([new Embedding(V, 2), new LSTM(2, 2), new Linear(2, V)], { seed: 1 });
  const trainer = new Trainer(model, { backend: await createBackend("cpu"), data, loss: crossEntropy(), optimizer: adam() });
  const refusals = (): Promise<unknown[]> =>
    Promise.all(
      Object.values(wrong).map((make) => {
        const one = new Trainer(model, { backend: trainer.backend, data, loss: crossEntropy(), optimizer: adam() });
        return one.restore(make() as Uint8Array).then(
          () => "accepted",
          (error: unknown) => {
            const { name, kind, message } = error as RnnError;
            return [name, kind, message];
          },
        );
      }),
    );
  const before = await refusals();
  await trainer.checkpoint();
  expect(before).toEqual(await refusals());
  for (const refusal of before) expect(refusal).toEqual(["RnnError", "format", expect.stringMatching(/^safetensors: /)]);
});
