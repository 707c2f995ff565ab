// webgpu-rnn/stream in an AudioWorklet: a model of one file, a quantum at a time, beside what forward gives.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Browser } from "puppeteer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createBackend, forward, GRU, Linear, LSTM, saveModel, Sequential, type Module } from "webgpu-rnn";
import { bundleStream } from "../../scripts/bundle-stream.mjs";
import { launchBrowser } from "../../scripts/browsers.mjs";
import { root } from "../../scripts/bundle.mjs";
import { serve } from "../../scripts/serve.mjs";
import { kind } from "./demo-page.ts";

const folder = join(root, "build", `test-stream-${kind}`);

const worklet = `
import { createStream, loadModel } from "./stream.js";
registerProcessor("model", class extends AudioWorkletProcessor {
  constructor({ processorOptions: { file, module } }) {
    super();
    const began = Date.now();
    const tell = (message) => this.port.postMessage(message);
    const made = async () => {
      this.stream = await createStream(loadModel(file), { module });
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
globalThis.render = async (file, sound, handsOver) => {
  const context = new OfflineAudioContext(1, sound.length, 48000);
  await context.audioWorklet.addModule("worklet.js");
  const processorOptions = { file: Uint8Array.from(file), module: handsOver ? await compile() : undefined };
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
declare const render: (file: readonly number[], sound: readonly number[], handsOver: boolean) => Promise<Told>;

describe(`webgpu-rnn/stream in an AudioWorklet of ${kind}`, () => {
  let browser: Browser;
  let server: Awaited<ReturnType<typeof serve>>;
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

  async function rendered(model: Module, sound: readonly number[], handsOver: boolean): Promise<Told> {
    const tab = await browser.newPage();
    try {
      await tab.goto(`${server.url}index.html`);
      await tab.waitForFunction(() => "render" in globalThis);
      const file = [...(await saveModel(model))];
      return await tab.evaluate((...given) => render(...given), file, sound, handsOver);
    } finally {
      await tab.close();
    }
  }

  it.each([
    ["compiles there", false],
    ["takes what the page has compiled", true],
  ])("%s, and gives what forward gives", async (_, handsOver) => {
    const model = new Sequential([new LSTM(1, 24, { numLayers: 2, seed: 1 }), new Linear(24, 1, { seed: 2 })]);
    const sound = Array.from({ length: 128 * 12 }, (_, i) => Math.fround(Math.sin(i / 9) * Math.cos(i / 700)));
    const backend = await createBackend("cpu");
    const { output } = await forward(model, { shape: [sound.length, 1, 1], data: sound }, { backend });
    backend.destroy();
    const told = await rendered(model, sound, handsOver);
    expect(told.error).toBeUndefined();
    expect(told.output).toHaveLength(sound.length);
    // Engines with and without fused multiply-add differ in the last digits.
    const farthest = Math.max(...output.data.map((x, i) => Math.abs(x - told.output![i])));
    expect(farthest).toBeLessThan(1e-5);
    expect(Math.max(...told.output!)).toBeGreaterThan(0.01);
  });

  it("says which layers need the code of other entries", async () => {
    const { error } = await rendered(new Sequential([new GRU(1, 4, { reset: "before" }), new Linear(4, 1)]), [0], false);
    expect(error).toContain("webgpu-rnn/stream does not have it; use webgpu-rnn/static");
    expect(error).toContain('reset: "before"');
  });
});
