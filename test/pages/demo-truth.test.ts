// The demo page shows the truth: the text it names, the model its numbers belong to, what it waits for. One visit for
// all tests.
import { readdirSync, readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { decodeSafetensors } from "webgpu-rnn/formats";
import { violations } from "./accessibility.ts";
import { kind } from "./built-pages.ts";
import { DemoPage, fileOf, serveDemo, type PageFile } from "./demo-page.ts";

const verse = "the sea was calm and the ship was slow, and the crew sang of the sea and the land far away. ";
const tiny = {
  "text-source": "own",
  "own-text": verse.repeat(20),
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
const second = fileOf(
  "second.txt",
  "away far land the and sea the of sang crew the and, slow was ship the and calm was sea the. ".repeat(30),
);
const png = fileOf("photo.png", Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52]));
const hostile = readdirSync(new URL("../fixtures/checkpoints/", import.meta.url)).map((name) =>
  fileOf(name, readFileSync(new URL(`../fixtures/checkpoints/${name}`, import.meta.url))),
);

describe(`the demo page tells the truth in ${kind}`, () => {
  let demo: Awaited<ReturnType<typeof serveDemo>>;
  let page: DemoPage;
  let checkpoint: PageFile;

  beforeAll(async () => {
    demo = await serveDemo();
    page = await DemoPage.open(demo.browser, demo.url);
    await page.page.setViewport({ width: 360, height: 740 });
    await page.fill(tiny);
    await page.choose("cpu");
  });
  afterAll(() => demo.close());
  afterEach(() => expect(page.errors).toEqual([]));

  /** The text that a downloaded checkpoint says it learnt from. */
  async function learntFrom(): Promise<{ name: string; characters: number }> {
    await page.click("#download");
    checkpoint = await page.saved();
    return JSON.parse(decodeSafetensors(Buffer.from(checkpoint.base64, "base64")).metadata.text) as { name: string; characters: number };
  }
  const press = (key: "Enter" | " "): Promise<void> => page.page.keyboard.press(key);
  const status = (): Promise<string> => page.text("status");
  async function goesOn(): Promise<void> {
    const step = (await page.losses()).at(-1)!.step;
    await page.waitForStep(step + 5);
    expect(await status()).toBe("Training");
  }
  const narrow = async (): Promise<void> => {
    expect(await page.page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
    const cut = await page.page.$$eval("button", (all) =>
      all.filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.textContent),
    );
    expect(cut, "buttons whose words do not fit").toEqual([]);
    expect(await violations(page.page)).toEqual([]);
  };

  it("keeps the keyboard's focus from Train to Pause to Continue", async () => {
    await page.page.focus("#start");
    await press("Enter");
    await page.waitForStep(5);
    expect(await page.focused()).toBe("pause");
    await press(" ");
    await page.waitForStatus("Paused");
    expect(await page.focused()).toBe("resume");
    await press("Enter");
    await goesOn();
    expect(await page.focused()).toBe("pause");
    await narrow();
  });

  it("names what the curve is drawn over, and all numbers of the axes", async () => {
    await page.page.evaluate(() => {
      const drawn = ((globalThis as { drawn?: string[] }).drawn = [] as string[]);
      const prototype = CanvasRenderingContext2D.prototype;
      const draw = Object.getOwnPropertyDescriptor(prototype, "fillText")!.value as (
        this: CanvasRenderingContext2D,
        ...given: [string, number, number]
      ) => void;
      prototype.fillText = function (text, x, y) {
        drawn.push(text);
        draw.call(this, text, x, y);
      };
    });
    await page.until(() => (globalThis as { drawn?: string[] }).drawn!.includes("step"));
    await goesOn();
    const drawn = await page.page.evaluate(() => (globalThis as { drawn?: string[] }).drawn!);
    expect(drawn.filter((text) => !/^(step|[\d,.]*)$/.test(text))).toEqual([]);
  });

  it("takes no other text while it trains, and says so", async () => {
    for (const where of ["drop", "own-file"] as const) {
      await page.give(second, where);
      await page.waitForNotice("This text was not taken");
      expect(await page.noticeIsInView()).toBe(true);
      expect(await page.text("about")).toBe("LSTM 16 on “pasted text”");
      expect(await page.page.$eval("#own-text", (area) => (area as HTMLTextAreaElement).value)).toBe(tiny["own-text"]);
      await page.click("#notices .close");
    }
    await goesOn();
    expect(await learntFrom()).toMatchObject({ name: "pasted text", characters: verse.length * 20 });
  });

  it("goes on training when a file cannot be opened, and says why where one looks", async () => {
    await page.page.evaluate(() => scrollTo(0, document.body.scrollHeight));
    const { base64 } = checkpoint;
    for (const file of [...hostile, png, { name: "half.safetensors", base64: base64.slice(0, (base64.length >> 3) << 2) }]) {
      await page.upload(file);
      await page.waitForNotice("This file cannot be opened");
      expect(await page.noticeIsInView()).toBe(true);
      await page.click("#notices .close");
      await goesOn();
    }
    expect(await page.text("about")).toBe("LSTM 16 on “pasted text”");
  });

  it("says that it waits for a check of the device, and continues afterwards", async () => {
    await page.click("#verify");
    await page.page.waitForSelector('#report[data-passed="true"]');
    await goesOn();
    await narrow();
  });

  it("puts the model of a file in the place of one that trains, with nothing left of the former", async () => {
    await page.fill({ learningRate: 0.01 });
    await page.upload(checkpoint);
    await page.waitForNotice("Opened pasted-text-");
    expect(await page.noticeIsInView()).toBe(true);
    await page.waitForStatus("Paused");
    expect(await page.page.$eval("#report", (report) => (report as HTMLElement).hidden)).toBe(true);
    expect(await page.text("loss")).toBe("–");
    expect(await page.text("bits")).toBe("–");
    expect(await page.page.$eval("#learningRate", (field) => (field as HTMLInputElement).value)).toBe("0.02");
    expect(`pasted-text-${await page.step()}.safetensors`).toBe(checkpoint.name);
    await narrow();
  });

  it("goes on with the text that is chosen when Continue is pressed", async () => {
    await page.give(png, "own-file");
    await page.waitForNotice("photo.png: is a binary file");
    await page.give(second, "own-file");
    await page.until(() => document.getElementById("own-name")!.textContent === "second.txt");
    await narrow();
    const step = await page.step();
    await page.click("#resume");
    await page.waitForStep(step + 5);
    expect(await page.text("about")).toBe("LSTM 16 on “second.txt”");
    expect(await learntFrom()).toMatchObject({ name: "second.txt", characters: Buffer.from(second.base64, "base64").length });
    await page.click("#stop");
    await page.waitForStatus("Stopped");
    await narrow();
  });

  it("does not go on with a text that the network cannot read, and offers a new one", async () => {
    await page.give(fileOf("numbers.txt", "0123456789 ".repeat(100)), "drop");
    await page.until(() => document.getElementById("own-name")!.textContent === "numbers.txt");
    await page.click("#resume");
    await page.waitForNotice("characters that this network has never seen: “0”, “1”");
    expect(await page.text("about")).toBe("LSTM 16 on “second.txt”");
    await narrow();
    await page.clickWay(/^Train a new network on it$/);
    await page.until(() => document.getElementById("about")!.textContent === "LSTM 16 on “numbers.txt”");
    await page.waitForStatus("Training");
  });

  it("takes a text of five million characters without a halt at each key", async () => {
    await page.click("#stop");
    await page.waitForStatus("Stopped");
    await page.click("#own-drop");
    await page.page.focus("#own-text");
    await page.page.$eval(
      "#own-text",
      (area, piece) => {
        // The first effect of a paste; no browser would put this text into the field.
        const taken = !area.dispatchEvent(
          new InputEvent("beforeinput", { inputType: "insertFromPaste", data: piece.repeat(54_400), cancelable: true, bubbles: true }),
        );
        if (!taken) throw new Error("the text goes into the field");
      },
      verse,
    );
    await page.until(() => document.getElementById("text-note")!.textContent.startsWith("5,004,800 characters"));
    await page.click("#own-drop");
    expect(await page.page.$eval("#own-text", (area) => (area as HTMLTextAreaElement).value.length)).toBeLessThan(50_001);
    await page.page.evaluate(() => ((globalThis as unknown as { spied: { longestGap: number } }).spied.longestGap = 0));
    await page.page.keyboard.type("sea");
    expect(await page.calmestSecond(200)).toBeLessThan(500);
    expect(await page.text("text-note")).toBe("3 characters");
  });

  it("refuses what cannot fit, in numbers, and shows what is planned", async () => {
    await page.fill({ "own-text": tiny["own-text"], hidden: 4096, layers: 8 });
    await page.click("#start");
    await page.waitForNotice("parameters, which take 32.2 GB in training");
    expect(await page.page.$eval("#hidden", (field) => field.getAttribute("aria-invalid"))).toBe("true");
    await page.fill({ hidden: 256, layers: 1, batch: 1024, window: 1024, "text-source": "moby-dick" });
    await page.click("#start");
    await page.waitForNotice("a training step with these settings would take");
    const planned = await page.page.evaluate(
      () =>
        (globalThis as unknown as { spied: { replies: { kind: string; planned?: object }[] } }).spied.replies
          .filter((reply) => reply.kind === "planned")
          .at(-1)!.planned,
    );
    expect(planned).toMatchObject({ parameters: expect.any(Number) as number });
    expect(await page.text("about")).toBe("LSTM 16 on “numbers.txt”");
  });

  it("can cancel at any time, and is back at the last copy", async () => {
    await page.driver("stalled");
    await page.fill({ ...tiny, "own-text": tiny["own-text"] });
    await page.page.focus("#start");
    await press("Enter");
    await page.until(() => !document.getElementById("cancel")!.hidden);
    expect(await page.text("waiting")).toMatch(/^(\d+ s so far)?$/);
    await page.click("#cancel");
    await page.waitForNotice("Back at the last copy");
    expect(await page.text("about")).toBe("LSTM 16 on “numbers.txt”");
  });

  it("says that a loss diverges, and goes back to where it did not", async () => {
    await page.click("#stop");
    await page.fill(tiny);
    await page.click("#start");
    await page.waitForStep(30);
    await page.click("#pause");
    await page.waitForStatus("Paused");
    const paused = await page.step();
    await page.fill({ learningRate: 10 });
    await page.click("#resume");
    await page.waitForNotice("The loss diverges");
    await page.waitForStatus("Training, but the loss diverges");
    expect(await page.text("notices")).toMatch(/guessing every character with the same chance gives 3\.0/);
    await narrow();
    const way = await page.clickWay(/^Go back to step [\d,]+ with learning rate 0\.005$/);
    // A slow machine may make a further copy before the loss diverges.
    const step = Number(/[\d,]+/.exec(way)![0].replaceAll(",", ""));
    expect(step).toBeGreaterThanOrEqual(paused);
    await page.waitForNotice("Back at the last copy");
    await page.waitForStatus("Training");
    const again = (await page.losses()).findLastIndex((report) => report.step === step + 1);
    await page.until(
      (from) =>
        (globalThis as unknown as { spied: { replies: { kind: string; steps?: unknown[] }[] } }).spied.replies
          .filter((reply) => reply.kind === "progress")
          .flatMap((reply) => reply.steps).length >
        from + 20,
      again,
    );
    for (const { loss } of (await page.losses()).slice(again)) expect(loss).toBeLessThan(3.5);
  });

  it("names the fault of a learning rate or a length, and keeps training", async () => {
    await page.fill({ learningRate: -1 });
    await page.waitForNotice("Learning rate: must be a number above 0 and at most 10, got -1");
    await page.fill({ length: 99999 });
    await page.until(() =>
      document.getElementById("sample-problem")!.textContent.startsWith("Characters: must be a whole number from 1 to 5000"),
    );
    // A sample of the training that ends meanwhile does not take it back.
    const samples = await page.samplesDone();
    await page.until(
      (before) =>
        (globalThis as unknown as { spied: { replies: { kind: string; done?: boolean }[] } }).spied.replies.filter(
          (reply) => reply.kind === "sample" && reply.done,
        ).length > before,
      samples,
    );
    expect(await page.text("sample-problem")).toMatch(/^Characters: /);
    await page.fill({ length: 40, learningRate: 0.005 });
    await goesOn();
    await page.page.emulateMediaFeatures([{ name: "prefers-reduced-motion", value: "reduce" }]).then(
      async () => {
        expect(await page.page.$eval("#status", (element) => getComputedStyle(element, "::before").animationName)).toBe("none");
      },
      (error: unknown) => expect(kind, String(error)).toBe("firefox"),
    );
  });
});
