// The bench page from beginning to end, in a real browser: `npm test` runs this once in each.
import { join } from "node:path";
import { mkdir, writeFile } from "node:fs/promises";
import type { Browser, Page } from "puppeteer";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Report } from "../../bench/report.ts";
import { launchBrowser } from "../../scripts/browsers.mjs";
import { root } from "../../scripts/bundle.mjs";
import { buildPage } from "../../scripts/pages.mjs";
import { serve } from "../../scripts/serve.mjs";
import { kind } from "./demo-page.ts";

describe(`the bench page in ${kind}`, () => {
  let server: Awaited<ReturnType<typeof serve>>;
  let browser: Browser;
  let page: Page;
  const errors: string[] = [];

  beforeAll(async () => {
    const folder = join(root, "build", `test-bench-${kind}`);
    await buildPage("bench", folder);
    await mkdir(join(folder, "peers"), { recursive: true });
    await writeFile(join(folder, "peers", "manifest.json"), '{"installed":false,"reason":"not in this test"}');
    server = await serve(folder);
    browser = await launchBrowser(kind, { software: process.env.WEBGPU_ADAPTER !== "hardware" }) as Browser;
    // One visit for all tests: the page measures its device first, which takes a software adapter a while.
    page = await browser.newPage();
    page.setDefaultTimeout(60_000);
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    page.on("pageerror", (error) => errors.push(String(error)));
    await page.goto(server.url);
    await waitForStatus("Ready.");
  });
  afterAll(async () => {
    await browser.close();
    await server.close();
  });
  afterEach(() => {
    expect(errors).toEqual([]);
  });

  const text = (id: string): Promise<string> => page.$eval(`#${id}`, (element) => (element as HTMLElement).innerText);
  const click = (selector: string): Promise<void> => page.$eval(selector, (element) => (element as HTMLElement).click());
  const waitForStatus = (wanted: string): Promise<unknown> => page.waitForFunction((word) => document.getElementById("status")!.textContent === word, {}, wanted);
  const fill = (values: Readonly<Record<string, string | number>>): Promise<void> => page.evaluate((given) => {
    for (const [id, value] of Object.entries(given)) {
      const field = document.getElementById(id) as HTMLInputElement;
      field.value = String(value);
      for (const type of ["input", "change"]) field.dispatchEvent(new Event(type, { bubbles: true }));
    }
  }, values);

  // First: a visit's first run begins with the device's matrix products, and stops between them at once.
  it("stops a long run, and is ready for the next", async () => {
    await fill({ steps: 400, batch: 32, input: 128, hidden: 256, mode: "training" });
    await click("#run");
    await page.waitForFunction(() => !document.getElementById("stop")!.hidden);
    const asked = performance.now();
    await click("#stop");
    await page.waitForFunction(() => document.getElementById("stop")!.hidden && !(document.getElementById("run") as HTMLButtonElement).disabled);
    // Nothing answers while the twins compute; the page gives them four seconds, and a new worker needs some too.
    expect(performance.now() - asked).toBeLessThan(20_000);
  });

  it("measures a case on CPU and GPU side by side, and exports it", async () => {
    await page.evaluate(() => {
      HTMLAnchorElement.prototype.click = function () {
        (globalThis as { saved?: string }).saved = this.href;
      };
    });
    await fill({ steps: 3, batch: 2, input: 3, hidden: 4, mode: "training" });
    await click("#run");
    await waitForStatus("Done.");
    expect(await text("chart-title")).toBe("LSTM, training step, 3 × 2 × 3 × 4");
    expect(await text("verdict")).toMatch(/ here\.$/);
    expect(await page.$$eval("#table tbody tr", (rows) => rows.length)).toBe(2);
    await click("#export");
    const report = (await page.evaluate(async () => (await fetch((globalThis as { saved?: string }).saved!)).json() as unknown)) as Report;
    expect(report.rows.map(({ backend }) => backend)).toEqual(["webgpu", "cpu"]);
    expect(report.adapter).toBe(await text("adapter"));
    expect(report.matmul.webgpu.gflops).toBeGreaterThan(0);
  });

  it("refuses a size that is none, in words", async () => {
    await fill({ hidden: 0 });
    await click("#run");
    expect(await text("problem")).toBe("hidden must be a whole number from 1 to 8192");
  });
});
