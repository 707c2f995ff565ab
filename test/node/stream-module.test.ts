// The WebAssembly that a page hands over to a worklet's stream.
import { expect, it } from "vitest";
import { LSTM, saveModel } from "webgpu-rnn";
import { compile, createStream, loadModel } from "../../src/stream.ts";

it("A stream runs on the module that compile() made, and refuses every other one", async () => {
  const model = loadModel(await saveModel(new LSTM(2, 3, { seed: 1 })));
  const start = [0, 97, 115, 109, 1, 0, 0, 0];
  // Without exports, and with a memory exported as "m".
  for (const bytes of [start, [...start, 5, 3, 1, 0, 1, 7, 5, 1, 1, 109, 2, 0]])
    await expect(createStream(model, { module: new WebAssembly.Module(Uint8Array.from(bytes)) })).rejects.toThrow(
      "createStream: module must be what compile() of this version gave, got another WebAssembly.Module",
    );
  for (const module of [{}, 5, new ArrayBuffer(8)])
    await expect(createStream(model, { module })).rejects.toThrow("module must be a WebAssembly.Module");
  using given = await createStream(model, { module: await compile() });
  using own = await createStream(model);
  for (let t = 0; t < 3; t++) expect(given.step([t, -t])).toEqual(own.step([t, -t]));
});
