// webgpu-rnn/stream in an AudioWorklet: a stream of one file, a quantum at a time, beside what forward gives.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Browser } from "puppeteer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createBackend, forward, GRU, Linear, LSTM, MinGRU, saveModel, saveStream, Sequential, type Module } from "webgpu-rnn";
import { bundleStream } from "../../scripts/bundle-stream.mjs";
import { launchBrowser } from "../../scripts/browsers.mjs";
import { root } from "../../scripts/bundle.mjs";
import { serve } from "../../scripts/serve.mjs";
import { itThoroughly, sampled } from "../thorough.ts";
import { kind } from "./built-pages.ts";

const folder = join(root, "build", `test-stream-${kind}`);

const worklet = `
import { createStream } from "./stream.js";
registerProcessor("model", class extends AudioWorkletProcessor {
  constructor({ processorOptions: { file, module } }) {
    super();
    const began = Date.now();
    const tell = (message) => this.port.postMessage(message);
    const made = async () => {
      this.stream = await createStream(file, { module });
      tell({ milliseconds: Date.now() - began });
    };
    made().catch((error) => tell({ error: String(error) }));
  }
  process([[input]], [[output]]) {
    if (this.stream && input) this.stream.steps(input, output);
    return true;
  }
});`;

const page = `
import { compile } from "./stream.js";
globalThis.render = async (name, sound, handsOver) => {
  const file = new Uint8Array(await (await fetch(name)).arrayBuffer());
  const context = new OfflineAudioContext(1, sound.length, 48000);
  await context.audioWorklet.addModule("worklet.js");
  const processorOptions = { file, module: handsOver ? await compile() : undefined };
  const node = new AudioWorkletNode(context, "model", { processorOptions });
  const told = await new Promise((resolve) => (node.port.onmessage = ({ data }) => resolve(data)));
  if (told.error) return told;
  const buffer = new AudioBuffer({ length: sound.length, sampleRate: 48000 });
  buffer.copyToChannel(Float32Array.from(sound), 0);
  const source = new AudioBufferSourceNode(context, { buffer });
  source.connect(node).connect(context.destination);
  source.start();
  const rendered = await context.startRendering();
  return { ...told, output: [...rendered.getChannelData(0)] };
};`;

type Told = { readonly error?: string; readonly milliseconds?: number; readonly output?: readonly number[] };
declare const render: (name: string, sound: readonly number[], handsOver: boolean) => Promise<Told>;

describe(`webgpu-rnn/stream in an AudioWorklet of ${kind}`, () => {
  let browser: Browser;
  let server: Awaited<ReturnType<typeof serve>>;
  let written = 0;
  beforeAll(async () => {
    await mkdir(folder, { recursive: true });
    const files = { "stream.js": await bundleStream("src/stream.ts"), "worklet.js": worklet, "page.js": page };
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    await writeFile(join(folder, "index.html"), '<!doctype html><title>stream</title><script type="module" src="page.js"></script>');
    server = await serve(folder);
    browser = (await launchBrowser(kind, { software: true })) as Browser;
  });
  afterAll(async () => {
    await browser.close();
    await server.close();
  });

  async function rendered(file: Uint8Array, sound: readonly number[], handsOver: boolean): Promise<Told> {
    // The page fetches it: as an argument of evaluate, a megabyte takes Firefox minutes.
    const name = `model-${++written}.bin`;
    await writeFile(join(folder, name), file);
    const tab = await browser.newPage();
    try {
      await tab.goto(`${server.url}index.html`);
      await tab.waitForFunction(() => "render" in globalThis);
      return await tab.evaluate((...given) => render(...given), name, sound, handsOver);
    } finally {
      await tab.close();
    }
  }

  const models: Record<string, () => Module> = {
    "plain layers": () => new Sequential([new LSTM(1, 24, { numLayers: 2, seed: 1 }), new Linear(24, 1, { seed: 2 })]),
    "layers of all kinds": () =>
      new Sequential([
        new LSTM(1, 9, { normalization: "layer", seed: 1 }),
        new GRU(9, 8, { reset: "before", seed: 2 }),
        new LSTM(8, 9, { projSize: 5, seed: 3 }),
        new MinGRU(5, 6, { seed: 4 }),
        new Linear(6, 1, { seed: 5 }),
      ]),
  };

  const ways = [
    ["compiles there", false, "plain layers"],
    ["takes what the page has compiled", true, "plain layers"],
    ["compiles there", false, "layers of all kinds"],
  ] as const;
  it.each(sampled(ways, 1))("%s (handed over: %s), and gives what forward gives: %s", async (_, handsOver, name) => {
    const model = models[name]();
    const sound = Array.from({ length: 128 * 12 }, (_, i) => Math.fround(Math.sin(i / 9) * Math.cos(i / 700)));
    const backend = await createBackend("cpu");
    const { output } = await forward(model, { shape: [sound.length, 1, 1], data: sound }, { backend });
    backend.destroy();
    const told = await rendered(await saveStream(model), sound, handsOver);
    expect(told.error).toBeUndefined();
    expect(told.output).toHaveLength(sound.length);
    // Engines with and without fused multiply-add differ in the last digits.
    const farthest = Math.max(...output.data.map((x, i) => Math.abs(x - told.output![i])));
    expect(farthest).toBeLessThan(1e-5);
    expect(Math.max(...told.output!)).toBeGreaterThan(0.001);
  });

  it("refuses a model without a stream, and says who writes one", async () => {
    const { error } = await rendered(await saveModel(models["plain layers"]()), [0], false);
    expect(error).toContain("the file must hold a stream, as saveStream of webgpu-rnn writes it");
  });

  itThoroughly("is there soon for a model of a megabyte", async () => {
    const file = await saveStream(new Sequential([new LSTM(1, 250, { seed: 1 }), new Linear(250, 1, { seed: 2 })]));
    const sound = Array.from({ length: 128 }, () => 0.5);
    const found: number[] = [];
    for (const handsOver of [false, true]) {
      const { milliseconds, output } = await rendered(file, sound, handsOver);
      expect(output).toHaveLength(128);
      found.push(milliseconds!);
    }
    console.log(`createStream of ${file.length} bytes in a worklet of ${kind}: ${found[0]} ms, ${found[1]} ms with the page's module`);
  });
});
