// Streams of Keras' causal convolutions, and the name of one that is not.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { createStream, forward, createBackend, type Module } from "webgpu-rnn";
import { importModel } from "webgpu-rnn/formats";
import { unzipSync, zipSync } from "fflate";
import { numbers } from "../device/support.ts";

interface Layer {
  class_name: string;
  config: { name: string; batch_shape?: unknown; padding?: string; strides?: number[] };
}

/** The fixture's file, with its description changed. */
async function changed(change: (layers: Layer[]) => Layer[]): Promise<Module> {
  const parts = unzipSync(readFileSync(join(import.meta.dirname, "../fixtures/keras3/conv.keras")));
  const config = JSON.parse(new TextDecoder().decode(parts["config.json"])) as { config: { layers: Layer[] } };
  config.config.layers = change(config.config.layers);
  parts["config.json"] = new TextEncoder().encode(JSON.stringify(config));
  return (await importModel(zipSync(parts))).model;
}

/** The causal convolution and the norm behind it. */
const causal = (layers: Layer[]): Layer[] =>
  layers
    .slice(0, 3)
    .map((layer) => ({
      ...layer,
      config: { ...layer.config, ...(layer.config.batch_shape !== undefined && { batch_shape: [null, null, 4] }) },
    }));

it("streams with the bits of forward, whose results are Keras' in import-models.test.ts", async () => {
  const backend = await createBackend("cpu");
  const model = await changed(causal);
  const frames = numbers(4 * 15, 2);
  const { output, state } = await forward(model, { shape: [1, 15, 4], data: frames }, { backend });
  using stream = await createStream(model, { backend, features: 4 });
  const results = Array.from({ length: 15 }, (_, t) => [...stream.step(frames.subarray(4 * t, 4 * t + 4))]);
  expect(results.flat()).toEqual([...output.data]);
  expect(stream.state.read()).toEqual(state);
  expect(stream.state.shapes).toEqual({ "conv1d.past": [1, 1, 2, 4] });
  backend.destroy();
});

it("refuses pooling that reads later steps, and a convolution that makes fewer, by their names", async () => {
  const refused = (model: Module): Promise<unknown> => createStream(model, { features: 4 });
  await expect(refused(await changed((layers) => layers.slice(0, 5)))).rejects.toThrow(
    '"max_pooling1d" needs whole sequences: its windows read later steps',
  );
  const withoutPooling = await changed((layers) => layers.slice(0, 5).filter(({ class_name: kind }) => kind !== "MaxPooling1D"));
  await expect(refused(withoutPooling)).rejects.toThrow('"conv1d_1" needs whole sequences: it has a result for one of 2 steps only');
});
