// What outlives a visit to the demo page: a saved training, settings in the address. Each test has separate browser
// storage.
import type { BrowserContext } from "puppeteer";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { violations } from "./accessibility.ts";
import { kind } from "./built-pages.ts";
import { DemoPage, fileOf, serveDemo } from "./demo-page.ts";
import { itThoroughly } from "../thorough.ts";

const verse = "the sea was calm and the ship was slow, and the crew sang of the sea and the land far away. ";
const tiny = {
  "text-source": "own",
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

describe(`what outlives a visit in ${kind}`, () => {
  let demo: Awaited<ReturnType<typeof serveDemo>>;
  let context: BrowserContext;
  const pages: DemoPage[] = [];

  beforeAll(async () => {
    demo = await serveDemo();
  });
  afterAll(() => demo.close());
  beforeEach(async () => {
    context = await demo.browser.createBrowserContext();
  });
  afterEach(async () => {
    await context.close();
    for (const { errors } of pages.splice(0)) expect(errors).toEqual([]);
  });

  async function visit(path = ""): Promise<DemoPage> {
    const page = await DemoPage.open(context, `${demo.url}${path}`);
    pages.push(page);
    return page;
  }
  /** Trains for some steps on a text of this name, and pauses. */
  async function train(page: DemoPage, name: string, steps = 10): Promise<number> {
    // Tabs behind another draw nothing, which is what waits here are counted in.
    await page.page.bringToFront();
    await page.fill(tiny);
    await page.give(fileOf(name, verse.repeat(20)), "own-file");
    await page.until((wanted) => document.getElementById("own-name")!.textContent === wanted, name);
    await page.choose("cpu");
    await page.click("#start");
    await page.waitForStep(steps);
    await page.click("#pause");
    await page.waitForStatus("Paused");
    const step = await page.step();
    await page.until((word) => document.getElementById("kept")!.textContent.includes(`step ${word}:`), String(step));
    return step;
  }
  const offered = "Your last training is kept here";

  it("a training is offered after a reload, and goes on as if nothing had happened", async () => {
    const page = await visit();
    const step = await train(page, "sea.txt", 30);
    await page.click("#resume");
    await page.waitForStep(step + 3);
    const expected = (await page.losses()).slice(step, step + 3);
    await page.page.reload();
    await page.waitForStatus("Ready");
    await page.waitForNotice(offered);
    expect(await violations(page.page)).toEqual([]);
    await page.clickWay(/^Continue where you left off$/);
    await page.until(() => document.getElementById("about")!.textContent === "LSTM 16 on “sea.txt”");
    await page.waitForStatus("Training");
    await page.waitForStep(step + 3);
    const [first] = await page.losses();
    // The copy is that of the pause or of a later step.
    expect(first.step).toBeGreaterThan(step);
    if (first.step === step + 1) expect((await page.losses()).slice(0, 3)).toEqual(expected);
    expect(await page.text("own-name")).toBe("sea.txt");
    expect(await page.page.$eval("#chart", (chart) => chart.getAttribute("aria-label"))).toMatch(/at step 1 to/);
    expect(await page.page.$eval("#learningRate", (field) => (field as HTMLInputElement).value)).toBe("0.02");
  });

  itThoroughly("a training that is discarded is offered no more", async () => {
    const page = await visit();
    await train(page, "sea.txt");
    await page.page.reload();
    await page.waitForStatus("Ready");
    await page.waitForNotice(offered);
    await page.clickWay(/^Discard it$/);
    await page.until(async () => {
      const open = indexedDB.open("webgpu-rnn");
      const database = await new Promise<IDBDatabase>((resolve) => (open.onsuccess = () => resolve(open.result)));
      const counting = database.transaction(["files"]).objectStore("files").count();
      const count = await new Promise<number>((resolve) => (counting.onsuccess = () => resolve(counting.result)));
      database.close();
      return count === 0;
    });
    await page.page.reload();
    await page.waitForStatus("Ready");
    await page.page.waitForNetworkIdle({ idleTime: 300 }).catch(() => undefined);
    expect(await page.text("notices")).toBe("");
  });

  itThoroughly("two tabs keep a training each, and are offered their own", async () => {
    const [one, other] = [await visit(), await visit()];
    await train(one, "one.txt");
    await train(other, "other.txt");
    expect(await other.text("notices")).toBe("");
    await one.page.bringToFront();
    await one.page.reload();
    await one.waitForNotice("on “one.txt”");
    await other.page.bringToFront();
    await other.page.reload();
    await other.waitForNotice("on “other.txt”");
    // Both are held now: a third tab is offered neither.
    const third = await visit();
    await third.page.waitForNetworkIdle({ idleTime: 300 }).catch(() => undefined);
    expect(await third.text("notices")).toBe("");
  });

  itThoroughly("a browser without room or memory is no hindrance, and is named", async () => {
    const page = await visit();
    await page.page.evaluate(() => {
      IDBObjectStore.prototype.put = () => {
        throw new DOMException("full", "QuotaExceededError");
      };
    });
    await page.fill({ ...tiny, "own-text": verse.repeat(20) });
    await page.choose("cpu");
    await page.click("#start");
    await page.until(() =>
      document.getElementById("kept")!.textContent.startsWith("Not kept in this browser: the browser has no room for its"),
    );
    await page.waitForStep(20);

    const bare = new DemoPage(await context.newPage());
    pages.push(bare);
    await bare.page.evaluateOnNewDocument(() => {
      IDBFactory.prototype.open = () => {
        throw new DOMException("A mutation operation was attempted on a database that did not allow mutations.", "InvalidStateError");
      };
    });
    await bare.page.goto(demo.url);
    await bare.waitForStatus("Ready");
    await bare.until(() => document.getElementById("kept")!.textContent.startsWith("Not kept in this browser: "));
  });

  it("settings stand in the address, and come from there; what does not work is refused in words", async () => {
    const page = await visit("?cell=gru&hidden=24&layers=2&backend=cpu&temperature=0.5&prompt=A%20ship");
    const value = (id: string): Promise<string> => page.page.$eval(`#${id}`, (field) => (field as HTMLInputElement).value);
    expect(await page.page.$eval('input[name="cell"]:checked', (radio) => radio.value)).toBe("gru");
    expect([await value("hidden"), await value("layers"), await value("temperature"), await value("prompt")]).toEqual([
      "24",
      "2",
      "0.5",
      "A ship",
    ]);
    expect(await page.text("device-reason")).toBe("asked for");
    await page.fill({ hidden: 32, seed: 9 });
    const address = page.page.url();
    expect(new URL(address).search).toMatch(/cell=gru.*hidden=32.*seed=9/);

    const hostile = await visit("?hidden=1e9&layers=-1&window=%3Cscript%3E&seed=7&prompt=" + "x".repeat(600));
    await hostile.waitForNotice("Hidden size: must be a whole number from 1 to 4096, got 1000000000");
    expect(await hostile.text("notices")).toContain('Window: must be a whole number from 1 to 1024, got "<script>"');
    expect((await hostile.text("notices")).length).toBeLessThan(600);
    expect(await hostile.page.$eval("#seed", (field) => (field as HTMLInputElement).value)).toBe("7");
    expect(Number(await hostile.page.$eval("#hidden", (field) => (field as HTMLInputElement).value))).toBeLessThan(4097);
  });
});
