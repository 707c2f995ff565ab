// The WebAssembly that a page hands over to a worklet's stream.
import { expect, it } from "vitest";
import { LSTM, saveStream } from "webgpu-rnn";
import { compile, createStream } from "../../src/stream.ts";

it("A stream runs on the module that compile() made, and refuses every other one", async () => {
  const file = await saveStream(new LSTM(2, 3, { seed: 1 }));
  const start = [0, 97, 115, 109, 1, 0, 0, 0];
  // Without exports, and with a memory exported as "m".
  for (const bytes of [start, [...start, 5, 3, 1, 0, 1, 7, 5, 1, 1, 109, 2, 0]])
    await expect(createStream(file, { module: new WebAssembly.Module(Uint8Array.from(bytes)) })).rejects.toThrow(
      "createStream: module must be what compile() of this version gave, got another WebAssembly.Module",
    );
  for (const module of [{}, 5, new ArrayBuffer(8)])
    await expect(createStream(file, { module })).rejects.toThrow("module must be a WebAssembly.Module");
  using given = await createStream(file, { module: await compile() });
  using own = await createStream(file);
  for (let t = 0; t < 3; t++) expect(given.step([t, -t])).toEqual(own.step([t, -t]));
});
