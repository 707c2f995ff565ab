// The page of sound in a real browser: an AudioWorklet gives what the library gives, sample by sample, offline and live.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createBackend, forward } from "webgpu-rnn";
import { importModel } from "webgpu-rnn/formats";
import { createStream } from "webgpu-rnn/stream";
import type { Playable } from "../../demo/audio/messages.ts";
import { playableOf } from "../../demo/audio/open-sound.ts";
import { Player } from "../../demo/audio/player.ts";
import { amplifier, strings } from "../../examples/drive.ts";
import { root } from "../../scripts/bundle.mjs";
import { expectClose } from "../device/support.ts";
import { violations } from "./accessibility.ts";
import { kind } from "./built-pages.ts";
import { DemoPage, fileOf, serveDemo } from "./demo-page.ts";
import { wav } from "./wav.ts";
import { itThoroughly, sampled } from "../thorough.ts";

const rate = 44100;
const own = join(root, "demo/audio/drive.safetensors");
const shared = join(root, "../shared/models");
const fixture = (name: string): Buffer => readFileSync(join(root, "test/fixtures/models", name));

/** What the library computes from samples, after the silence that the processor begins with. */
async function expected(file: Uint8Array, samples: Float32Array): Promise<Float32Array> {
  const { model } = await importModel(file);
  const quiet = 40 * 128;
  const data = new Float32Array(quiet + samples.length);
  data.set(samples, quiet);
  const { output } = await forward(model, { shape: [1, data.length, 1], data }, { backend: await createBackend("cpu") });
  return output.data.slice(quiet) as Float32Array;
}

describe(`the page of sound in ${kind}`, () => {
  let demo: Awaited<ReturnType<typeof serveDemo>>;
  let page: DemoPage;

  beforeAll(async () => {
    const folder = join(root, "build", `microphone-${kind}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "strings.wav"), wav(strings(2 * rate, 5), rate));
    demo = await serveDemo({ microphone: join(folder, "strings.wav") });
    page = await DemoPage.tab(demo.browser);
  });
  afterAll(() => demo.close());
  beforeEach(() => page.visit(`${demo.url}audio/`));
  afterEach(() => expect(page.errors).toEqual([]));

  const number = async (id: string): Promise<number> => Number((await page.text(id)).replace(/[^\d.]/g, ""));

  /** Plays samples through the page's processor, offline. */
  async function playFile({ file, form }: Pick<Playable, "file" | "form">, samples: Float32Array): Promise<Float32Array> {
    const [model, sound] = [file, new Uint8Array(samples.buffer)].map((bytes) => Buffer.from(bytes).toString("base64"));
    const result = await page.page.evaluate(
      async (given) => {
        const [bytes, raw] = [given.model, given.sound].map((text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)));
        const data = new Float32Array(raw.buffer);
        const context = new OfflineAudioContext(1, data.length, given.rate);
        await context.audioWorklet.addModule("worklet.js");
        const node = new AudioWorkletNode(context, "model", { processorOptions: { file: bytes, form: given.form } });
        const { data: first } = await new Promise<MessageEvent<{ kind: string }>>((resolve) => (node.port.onmessage = resolve));
        if (first.kind !== "ready") throw new Error(JSON.stringify(first));
        const buffer = context.createBuffer(1, data.length, given.rate);
        buffer.copyToChannel(data, 0);
        const source = new AudioBufferSourceNode(context, { buffer });
        source.connect(node).connect(context.destination);
        source.start();
        const out = (await context.startRendering()).getChannelData(0);
        return Array.from(out);
      },
      { model, sound, rate, form },
    );
    return Float32Array.from(result);
  }

  it.each(sampled(["drive.safetensors", "amp.nam", "plugin.json"], 1))("gives in a worklet what the library gives: %s", async (name) => {
    const file = name === "drive.safetensors" ? readFileSync(own) : fixture(name);
    const samples = strings(128 * 40, 3);
    const playable = await playableOf({ [name]: new Uint8Array(file) });
    expectClose("sound", await playFile(playable, samples), await expected(file, samples));
  });

  itThoroughly("computes a second of sound and says how much of the time that took", async () => {
    await page.click("#render");
    await page.until(() => document.getElementById("quanta")!.textContent === "345");
    await page.waitForStatus("Ready");
    expect(await number("load")).toBeGreaterThan(0);
    expect(await page.page.$eval("#chart", (chart) => chart.getAttribute("aria-label"))).toBe("Sound in and out, 600 samples");
  });

  it.each(sampled(["strings", "microphone"], 1))("plays live from the %s, counts what comes too late, and stops", async (source) => {
    await page.fill({ source });
    await page.click("#start");
    // Chromium plays without a sound device. Firefox waits for one, and says so.
    await page.until(
      (wanted) => wanted.includes(document.getElementById("status")!.textContent),
      kind === "chromium" ? ["Playing"] : ["Playing", "Waiting for the sound device"],
    );
    if (kind === "chromium") {
      await page.until(() => Number(document.getElementById("quanta")!.textContent.replace(",", "")) >= 256);
      expect(await number("late")).toBeGreaterThanOrEqual(0);
    }
    expect(await page.text("budget")).toMatch(/^safetensors, 1,233 parameters, in WebAssembly\. A block of 128 samples lasts 2\.9 ms\.$/);
    await page.click("#bypass");
    await page.click("#stop");
    await page.waitForStatus("Ready");
  });

  itThoroughly("opens an amplifier of another program, and refuses a model that reads no samples", async () => {
    await page.give(fileOf("amp.nam", fixture("amp.nam")), "drop");
    await page.until(() => document.getElementById("model")!.textContent === "amp.nam");
    await page.waitForStatus("Ready");
    expect(await page.text("budget")).toContain("nam, 39 parameters");
    await page.give(fileOf("lstm_charlm.onnx", fixture("lstm_charlm.onnx")), "drop");
    await page.waitForNotice("This model cannot be played");
    await page.waitForNotice("must read one sample and give one in each step; this one reads ids");
    expect(await page.text("model")).toBe("amp.nam");
    await page.click("#own");
    await page.until(() => document.getElementById("model")!.textContent.startsWith("Overdrive"));
    await page.waitForStatus("Ready");
  });

  itThoroughly.skipIf(!existsSync(shared))("removes noise with DTLN in the worklet, and gives what the library gives", async () => {
    const bytes = readFileSync(join(shared, "dtln/model.h5"));
    const sound = await playableOf({ "model.h5": new Uint8Array(bytes) });
    const samples = Float32Array.from({ length: 128 * 40 }, (_, i) => 0.3 * Math.sin(0.05 * i) * Math.sin(0.0007 * i));
    const player = new Player(await createStream(sound.file), sound.form, () => undefined);
    const wanted = new Float32Array(samples.length);
    for (let at = 0; at < samples.length; at += 128) player.play(samples.subarray(at, at + 128), wanted.subarray(at, at + 128));
    expectClose("sound", await playFile(sound, samples), wanted);

    await page.give(fileOf("model.h5", bytes), "drop");
    await page.until(() => document.getElementById("model")!.textContent === "model.h5");
    await page.waitForStatus("Ready");
    expect(await page.text("budget")).toMatch(
      /^DTLN, 986,753 parameters, in WebAssembly\. A block of 128 samples lasts 8\.0 ms\. It learnt speech/,
    );
    await page.click("#render");
    await page.until(() => document.getElementById("chart")!.ariaLabel === "Sound in and out, 600 samples");
  });

  itThoroughly.skipIf(!existsSync(shared))("draws what a voice detector says of each frame", async () => {
    await page.give(fileOf("vad.onnx", readFileSync(join(shared, "silero/silero_vad_16k_op15.onnx"))), "drop");
    await page.until(() => document.getElementById("model")!.textContent === "vad.onnx");
    await page.waitForStatus("Ready");
    await page.click("#render");
    // A second has 31 whole frames.
    await page.until(() => document.getElementById("voice-chart")!.ariaLabel?.startsWith("Speech in 31 frames: at most"));
    expect(await page.text("speech")).toMatch(/^\d+ %$/);
    expect(await page.text("quanta")).toBe("125");
    await page.click("#own");
    await page.until(() => document.getElementById("voice")!.hidden);
    await page.waitForStatus("Ready");
  });

  itThoroughly("can be used by everybody, as far as axe-core sees", async () => {
    expect(await violations(page.page)).toEqual([]);
  });
});

describe("the overdrive", () => {
  it("sounds like the amplifier that it learnt, on strings that it has not heard", async () => {
    const samples = strings(rate / 2, 11);
    const wanted = amplifier(samples);
    const found = await expected(readFileSync(own), samples);
    const power = (sound: Float32Array): number => sound.reduce((sum, value) => sum + value * value, 0);
    expect(power(found.map((value, i) => value - wanted[i])) / power(wanted)).toBeLessThan(0.01);
  });
});
