// The page of models in a real browser: files of other programs are drawn, run, compared, checked and written.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { GRU, saveModel } from "webgpu-rnn";
import { decodeSafetensors, importModel } from "webgpu-rnn/formats";
import { root } from "../../scripts/bundle.mjs";
import { violations } from "./accessibility.ts";
import { kind } from "./built-pages.ts";
import { DemoPage, fileOf, serveDemo, type PageFile } from "./demo-page.ts";
import { wav } from "./wav.ts";
import { itThoroughly, sampled } from "../thorough.ts";

const models = join(root, "test/fixtures/models");
const shared = join(root, "../shared/models");
const fixture = (name: string): PageFile => fileOf(basename(name), readFileSync(join(models, name)));

/** How many pixels of the chart have this colour of the style sheet; runs in the page. */
function pixelsOf(property: string): number {
  const canvas = document.querySelector<HTMLCanvasElement>("#chart canvas")!;
  const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
  const hex = getComputedStyle(document.documentElement).getPropertyValue(property).trim().slice(1);
  const [r, g, b] = [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16));
  let count = 0;
  for (let i = 0; i < data.length; i += 4) if (data[i] === r && data[i + 1] === g && data[i + 2] === b && data[i + 3] === 255) count++;
  return count;
}

/** 0.1 seconds of a tone. */
const tone = (): Uint8Array =>
  wav(
    Float32Array.from({ length: 800 }, (_, i) => 0.4 * Math.sin((2 * Math.PI * 440 * i) / 8000)),
    8000,
  );

describe(`the page of models in ${kind}`, () => {
  let demo: Awaited<ReturnType<typeof serveDemo>>;
  let page: DemoPage;

  beforeAll(async () => {
    demo = await serveDemo();
    page = await DemoPage.tab(demo.browser);
  });
  afterAll(() => demo.close());
  beforeEach(() => page.visit(`${demo.url}models/`));
  afterEach(() => expect(page.errors).toEqual([]));

  /** Opens files, and waits until they have been read and run on a sample. */
  async function open(...files: PageFile[]): Promise<void> {
    await page.give(files, "drop");
    await page.until((name) => document.getElementById("model-title")!.textContent === name, files[0].name);
    await page.waitForStatus("Ready");
  }

  async function run(): Promise<void> {
    await page.click("#run");
    await page.waitForStatus("Ready");
  }

  const layers = (): Promise<string[]> =>
    page.page.$$eval("#layers li", (items) => items.map((item) => (item as HTMLElement).innerText.replace(/\s+/g, " ").trim()));
  const results = (): Promise<string[][]> =>
    page.page.$$eval("#results tr", (rows) => rows.map((row) => [...row.children].map((cell) => (cell as HTMLElement).innerText)));

  it("draws the layers of a Keras file, runs it, and says that both backends agree", async () => {
    await open(fixture("simplernn_dense.keras"));
    expect(await page.text("format")).toBe("keras");
    expect(await page.text("parameters")).toBe("62");
    expect(await layers()).toEqual([
      expect.stringMatching(/^Input .*\[any, 6, 4\]$/),
      expect.stringMatching(/^SimpleRNN simple_rnn RNN\(4, 5\), last output 50$/),
      expect.stringMatching(/^Dense dense Linear\(5, 2\) 12$/),
      expect.stringMatching(/^Output dense$/),
    ]);
    expect((await results())[0].slice(0, 2)).toEqual(["dense", "[1, 2]"]);
    expect(await page.text("caption")).toMatch(/feature 2$/);
    // It gives one step: a point, since a line through it has no length.
    await page.until(() => document.getElementById("chart")!.ariaLabel?.startsWith("First output of the only step: "));
    expect(await page.page.evaluate(pixelsOf, "--line-1")).toBeGreaterThan(20);
    await page.click("#compare");
    await page.waitForStatus("Ready");
    expect(await page.text("verdict")).toMatch(/^Both agree: .*; 7 numbers, greatest difference \d/);
  });

  itThoroughly("runs an amplifier on a table and on audio, with the numbers that the library gives", async () => {
    await open(fixture("amp.nam"));
    await page.click('input[name="source"][value="table"]');
    const values = Array.from({ length: 50 }, (_, i) => Math.sin(0.3 * i));
    await page.fill({ table: `sample\n${values.join("\n")}` });
    await run();
    const { model } = await importModel(readFileSync(join(models, "amp.nam")));
    const { createBackend, forward } = await import("webgpu-rnn");
    const { output } = await forward(model, { shape: [1, 50, 1], data: values }, { backend: await createBackend("cpu") });
    const [[name, sizes, least, , most]] = await results();
    expect([name, sizes]).toEqual(["output", "[1, 50, 1]"]);
    expect(Number(least)).toBeCloseTo(Math.min(...output.data), 3);
    expect(Number(most)).toBeCloseTo(Math.max(...output.data), 3);
    expect(await page.page.$eval("#chart", (chart) => chart.getAttribute("aria-label"))).toMatch(/^First output over 50 steps: from /);

    await page.click('input[name="source"][value="audio"]');
    await page.fill({ rate: 8000 });
    await page.give(fileOf("tone.wav", tone()), "audio-file");
    await page.until(() => document.getElementById("audio-note")!.innerText.includes("tone.wav"));
    await run();
    expect((await results())[0][1]).toBe("[1, 800, 1]");
  });

  itThoroughly("continues a text with a character model in several files", async () => {
    const folder = existsSync(shared) ? join(shared, "charrnn/charlotte_bronte") : join(models, "characters");
    await open(...readdirSync(folder).map((name) => fileOf(name, readFileSync(join(folder, name)))));
    const isWhole = existsSync(shared);
    await page.fill({ text: isWhole ? "She was " : "ab" });
    await run();
    const text = await page.text("continuation");
    if (isWhole) expect(text).toMatch(/^answered to the present sense of the/);
    expect(text.length).toBeGreaterThan(20);
  });

  itThoroughly("reads weights alone with a description, and writes a file that comes back", async () => {
    const description = {
      "@": "Sequential",
      of: [
        {
          embedding: { "@": "Embedding", of: [11, 5] },
          rnn: { "@": "GRU", of: [5, 8, { numLayers: 2 }] },
          fc: { "@": "Linear", of: [8, 11] },
        },
      ],
    };
    await open(fixture("gru_legacy_pickle.pt"), fileOf("layers.json", JSON.stringify(description)));
    await page.click("#safetensors");
    const file = await page.saved();
    expect(file.name).toBe("gru_legacy_pickle.safetensors");
    const bytes = Buffer.from(file.base64, "base64");
    expect(Object.keys(decodeSafetensors(bytes).tensors)).toContain("rnn.weight_hh_l1");
    await open({ ...file, name: "again.safetensors" });
    expect(await page.text("parameters")).toBe("946");
    await page.click("#onnx");
    const graph = await page.saved();
    expect(graph.name).toBe("again.onnx");
    await open(graph);
    expect(await page.text("format")).toBe("onnx");
    expect((await results())[0].slice(0, 2)).toEqual(["output", "[16, 1, 11]"]);
    expect(await page.text("caption")).toMatch(/feature 4 of 11$/);
  });

  itThoroughly("says in words why a model cannot become an ONNX file", async () => {
    const normalized = new GRU(2, 3, { normalization: "batch", normalizedSteps: 1, seed: 1 });
    await open(fileOf("normalized.safetensors", await saveModel(normalized)));
    await page.click("#onnx");
    await page.waitForNotice("This file cannot be written");
    await page.waitForNotice('exportOnnx: the model (GRU): normalization: "batch" is not written');
    await page.waitForStatus("Ready");
  });

  it.each(sampled(["lstm_charlm.onnx", "simplernn_dense.keras", "amp.nam"], 1))(
    "writes %s as an ONNX graph that gives the same",
    async (name) => {
      await open(fixture(name));
      const before = await results();
      await page.click("#onnx");
      const graph = await page.saved();
      await open({ ...graph, name: "again.onnx" });
      expect(await page.text("format")).toBe("onnx");
      expect((await results())[0][1]).toEqual(before[0][1]);
    },
  );

  itThoroughly("checks every kernel of an ONNX model", async () => {
    await page.choose("cpu");
    await open(fixture("lstm_charlm.onnx"));
    await page.click("#verify");
    await page.waitForStatus("Ready");
    expect(await page.text("report")).toContain("Passed: every number agrees");
  });

  itThoroughly("says what is wrong with a file or an input, and keeps the present model", async () => {
    await open(fixture("amp.nam"));
    const damaged = readFileSync(join(models, "lstm_charlm.onnx")).subarray(0, 3000);
    await page.give(fileOf("damaged.onnx", damaged), "drop");
    await page.waitForNotice("This model cannot be opened");
    await page.waitForNotice("The present model is as it was.");
    expect(await page.text("model-title")).toBe("amp.nam");
    await page.click('input[name="source"][value="table"]');
    await page.fill({ table: "0.1\n0.x" });
    await page.click("#run");
    await page.waitForNotice('line 2 has "0.x", which is no number');
    await page.fill({ table: "1, 2\n3, 4" });
    await page.click("#run");
    await page.waitForNotice("it has 2 numbers a row, and the model reads 1 a step");
    await page.waitForStatus("Ready");
  });

  itThoroughly.skipIf(!existsSync(shared))("runs a voice detector frame by frame, with an input fixed", async () => {
    const silero = fileOf("vad.onnx", readFileSync(join(shared, "silero/silero_vad_16k_op15.onnx")));
    await page.give(silero, "upload");
    await page.waitForNotice("Write it into Fixed inputs");
    await page.waitForStatus("Ready");
    await page.fill({ constants: "sr=16000" });
    await open(silero);
    await page.click('input[name="source"][value="audio"]');
    await page.fill({ rate: 16000 });
    await page.give(fileOf("tone.wav", tone()), "audio-file");
    await page.until(() => document.getElementById("audio-note")!.innerText.includes("tone.wav"));
    await run();
    expect(await page.text("run-note")).toMatch(/^1600 steps on .* ms, 6 calls$/);
  });

  itThoroughly("can be used by everybody, as far as axe-core sees", async () => {
    await open(fixture("simplernn_dense.keras"));
    expect(await violations(page.page)).toEqual([]);
  });
});
