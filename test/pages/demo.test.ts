// The demo page from beginning to end, in a real browser.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { violations } from "./accessibility.ts";
import { kind } from "./built-pages.ts";
import { DemoPage, serveDemo } from "./demo-page.ts";
import { itThoroughly, sampled } from "../thorough.ts";

const verse = "the sea was calm and the ship was slow, and the crew sang of the sea and the land far away. ";
const text = verse.repeat(20);
const tiny = {
  "text-source": "own",
  "own-text": text,
  hidden: 16,
  layers: 1,
  embedding: 8,
  batch: 4,
  window: 12,
  learningRate: 0.02,
  seed: 3,
  length: 40,
  prompt: "the ",
};

describe(`the demo page in ${kind}`, () => {
  let demo: Awaited<ReturnType<typeof serveDemo>>;
  let page: DemoPage;

  beforeAll(async () => {
    demo = await serveDemo();
    page = await DemoPage.tab(demo.browser);
  });
  afterAll(() => demo.close());
  beforeEach(() => page.visit(demo.url));
  afterEach(() => expect(page.errors).toEqual([]));

  it("says what it computes on, and why", async () => {
    expect(await page.text("device-name")).toMatch(/^(CPU|WebGPU on .)/);
    expect((await page.text("device-reason")).length).toBeGreaterThan(5);
    // An ordinary CPU is no reason for a warning.
    expect(await page.page.$eval("#device", (device) => (device as HTMLElement).dataset.software)).toBe("false");
    expect(await violations(page.page)).toEqual([]);
  });

  describe.each(sampled(["webgpu", "cpu"] as const, 1))("on %s", (backend) => {
    beforeEach(async () => {
      await page.fill(tiny);
      await page.choose(backend);
    });

    it("learns, pauses, goes on, writes and stays responsive", async () => {
      await page.click("#start");
      await page.waitForStep(20);
      const gap = await page.calmestSecond();
      // Above 0: the watch did run.
      expect(gap).toBeGreaterThan(0);
      expect(gap).toBeLessThan(150);
      await page.waitForStep(60);

      const asked = performance.now();
      await page.click("#pause");
      await page.waitForStatus("Paused");
      expect(performance.now() - asked).toBeLessThan(2000);
      const losses = await page.losses();
      expect(losses.map(({ step }) => step)).toEqual(losses.map((_, i) => i + 1));
      expect(losses.at(-1)!.loss).toBeLessThan(losses[0].loss - 0.5);
      expect(await page.text("samples")).toMatch(/step \d+ · loss [\d.]+ · temperature 0.8\s+the ./);

      const step = await page.step();
      await new Promise((resolve) => setTimeout(resolve, 400));
      expect((await page.losses()).at(-1)!.step).toBe(step);
      await page.click("#resume");
      await page.waitForStep(step + 10);
      await page.click("#stop");
      await page.waitForStatus("Stopped");
    });

    itThoroughly("goes on from a downloaded checkpoint as if nothing had happened", async () => {
      await page.click("#start");
      await page.waitForStep(10);
      await page.click("#pause");
      await page.waitForStatus("Paused");
      const step = await page.step();
      await page.click("#download");
      const file = await page.saved();
      expect(file.name).toBe(`pasted-text-${step}.safetensors`);
      await page.click("#resume");
      await page.waitForStep(step + 3);
      const expected = (await page.losses()).slice(step, step + 3);

      await page.page.reload();
      await page.waitForStatus("Ready");
      await page.fill({ "text-source": "own", "own-text": text });
      await page.choose(backend);
      await page.upload(file);
      await page.waitForNotice(`Opened ${file.name}`);
      expect(await page.step()).toBe(step);
      await page.click("#sample");
      await page.page.waitForSelector(".sample:not(.writing-now)");
      await page.click("#resume");
      await page.waitForStep(step + 3);
      expect((await page.losses()).slice(0, 3)).toEqual(expected);
    });

    itThoroughly("checks its device", async () => {
      await page.click("#verify");
      await page.page.waitForSelector("#report[data-passed]");
      expect(await page.text("report")).toMatch(/Passed: every number agrees/);
      expect(await page.page.$$eval("#report td.result", (cells) => new Set(cells.map((cell) => cell.textContent)).size)).toBe(1);
    });
  });

  itThoroughly("says what is wrong with a file and keeps the model", async () => {
    await page.fill(tiny);
    await page.choose("cpu");
    await page.click("#start");
    await page.waitForStep(5);
    await page.click("#pause");
    await page.waitForStatus("Paused");
    const step = await page.step();
    await page.click("#download");
    const { base64 } = await page.saved();
    await page.upload({ name: "half.safetensors", base64: base64.slice(0, (base64.length >> 3) << 2) });
    await page.waitForNotice("truncated");
    await page.upload({ name: "photo.safetensors", base64: btoa("\x89PNG and so on and so on") });
    await page.waitForNotice("no safetensors file");
    await page.click("#resume");
    await page.waitForStep(step + 3);
  });

  itThoroughly("says that there is no text yet, and changes nothing", async () => {
    await page.fill({ "text-source": "own" });
    await page.click("#start");
    await page.waitForNotice("Text: there is none yet");
    expect(await page.page.$eval("#prompt", (field) => (field as HTMLInputElement).value)).toBe("The ");
    expect(await page.text("about")).toBe("No network yet");
  });

  itThoroughly("says what is wrong with settings and prompts", async () => {
    await page.fill({ ...tiny, hidden: "" });
    await page.click("#start");
    await page.waitForNotice("Hidden size: must be a whole number from 1 to 4096, got nothing");
    await page.fill({ hidden: 16, batch: 500, window: 500 });
    await page.click("#start");
    await page.waitForNotice("Window: Batch 500 times Window 500 needs a text of 250,001 characters, this one has 1,840");
    await page.fill({ batch: 4, window: 12 });
    await page.click("#start");
    await page.waitForStep(5);
    await page.fill({ prompt: "the Ω" });
    await page.click("#sample");
    await page.until(() => document.getElementById("sample-problem")!.innerText.includes("the text has no “Ω”"));
    await page.waitForStep((await page.step()) + 5);
  });

  itThoroughly("goes on after the loss became infinite", async () => {
    await page.fill(tiny);
    await page.choose("cpu");
    await page.click("#start");
    await page.waitForStep(5);
    await page.tellWorker({ kind: "learningRate", value: 1e38 });
    await page.waitForNotice("The loss is no longer a number");
    const step = await page.step();
    await page.clickWay(/^Continue with learning rate 0\.007$/);
    await page.waitForStep(step + 5);
    expect(Number.isFinite((await page.losses()).at(-1)!.loss)).toBe(true);
  });

  itThoroughly("goes on from its last copy on the CPU when the device is lost", async () => {
    await page.fill(tiny);
    await page.choose("webgpu");
    await page.click("#start");
    await page.waitForStep(5);
    await page.driver("reset");
    await page.waitForNotice("The device was lost");
    await page.clickWay(/^Continue from the last copy on the CPU$/);
    await page.waitForStatus("Training");
    expect(await page.text("device-name")).toMatch(/^CPU/);
    await page.waitForStep(30);
  });

  itThoroughly("goes on from its last copy in a new worker when the old one dies", async () => {
    await page.fill(tiny);
    await page.choose("cpu");
    await page.click("#start");
    await page.waitForStep(5);
    await page.click("#pause");
    await page.waitForStatus("Paused");
    const step = await page.step();
    await page.killWorker();
    await page.waitForNotice("out of memory");
    await page.clickWay(/^Continue from the last copy on the CPU$/);
    await page.waitForStep(step + 5);
    const steps = (await page.losses()).map((report) => report.step);
    expect(steps).toEqual(steps.map((_, i) => i + 1));
  });

  it("offers the CPU where there is no WebGPU", async () => {
    await page.driver("missing");
    await page.click('input[name="backend"][value="webgpu"]');
    await page.waitForNotice(kind === "firefox" ? "set dom.webgpu.enabled" : "this browser has no WebGPU");
    await page.clickWay(/^Use the CPU$/);
    await page.waitForStatus("Ready");
    expect(await page.text("device-name")).toMatch(/^CPU/);
  });

  itThoroughly("names the kernels that a device computes wrongly", async () => {
    await page.fill(tiny);
    await page.driver("wrong");
    await page.choose("webgpu");
    await page.click("#verify");
    await page.page.waitForSelector('#report[data-passed="false"]');
    expect(await page.text("report")).toMatch(/Failed: \d+ of \d+ buffers differ[^]*fail\s+[a-z-]+:lstm/);
  });
});
