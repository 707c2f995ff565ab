/** The WGSL of the built package, shorter and without what contracts declare: a training must compute the same bits. */
import { afterAll, expect, it } from "vitest";
import { adam, createBackend, crossEntropy, Embedding, GRU, Linear, LSTM, Sequential, TextData, Trainer, type Backend } from "webgpu-rnn";
import { minifyWgsl, withoutDeclarations } from "../../scripts/minify-wgsl.mjs";
import { kernels } from "../../src/backend/all-kernels.ts";
import { allShaders } from "../../src/backend/webgpu/all-shaders.ts";
import { declarationsOf } from "../../src/backend/webgpu/declarations.ts";
import { common } from "../../src/backend/webgpu/shaders.ts";
import { backend } from "./support.ts";

const text = "the quick brown fox jumps over the lazy dog; ".repeat(8);
const shorten = (path: string, source: string): string => withoutDeclarations(minifyWgsl(source), path, kernels, declarationsOf);
const shaders = Object.fromEntries(Object.entries(await allShaders(common)).map(([path, source]) => [path, shorten(path, source)]));
let minified: Backend | undefined;

afterAll(() => minified?.destroy());

it("computes the same bits from shorter WGSL", async () => {
  minified = await createBackend("webgpu", { shaders });
  const losses = async (on: Backend): Promise<number[]> => {
    const data = TextData.from(text, { batch: 3, steps: 5 });
    const V = data.vocabulary.size;
    const model = new Sequential([
      new Embedding(V, 6, { seed: 1 }),
      new GRU(6, 9, { seed: 2, dropout: 0.2, numLayers: 2 }),
      new LSTM(9, 8, { seed: 3, normalization: "layer", zoneout: 0.1 }),
      new Linear(8, V, { seed: 4 }),
    ]);
    const trainer = new Trainer(model, { backend: on, data, loss: crossEntropy(), optimizer: adam({ learningRate: 0.01 }), clipNorm: 1 });
    return (await trainer.train({ steps: 4 })).losses;
  };
  const expected = await losses(await backend("webgpu"));
  expect(expected[3]).toBeLessThan(expected[0]);
  expect(await losses(minified)).toEqual(expected);
});
