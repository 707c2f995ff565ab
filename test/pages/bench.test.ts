// The bench page from beginning to end, in a real browser.
import { join } from "node:path";
import { readFile, writeFile } from "node:fs/promises";
import type { Browser, Page } from "puppeteer";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { PeerEntry } from "../../bench/peers.ts";
import type { Report } from "../../bench/report.ts";
import { drive } from "../../bench/run-browser.mjs";
import { launchBrowser } from "../../scripts/browsers.mjs";
import { serve } from "../../scripts/serve.mjs";
import { violations } from "./accessibility.ts";
import { folder, kind } from "./built-pages.ts";
import { until } from "./demo-page.ts";
import { itThoroughly } from "../thorough.ts";

/** A bundle whose one library does this. */
const bundle = (name: string, subject: string): string =>
  `export const open = async () => [{ name: "${name}", backend: "cpu", adapter: "none", refuses: () => undefined, prepare: async (of, { expected }) => (${subject}) }];`;
const broken: Readonly<Record<string, string>> = {
  unloadable: 'throw new Error("no such device");',
  wrong: bundle(
    "wrong",
    "{ check: async () => ({ ...expected, output: expected.output.map((v) => v + 1) }), run: async () => {}, free() {} }",
  ),
  fading: bundle("fading", '{ check: async () => expected, run: async () => { throw new Error("the device went away"); }, free() {} }'),
};

describe(`the bench page in ${kind}`, () => {
  let server: Awaited<ReturnType<typeof serve>>;
  let browser: Browser;
  let page: Page;
  const errors: string[] = [];

  beforeAll(async () => {
    const peers = join(folder, "bench", "peers");
    const manifest = JSON.parse(await readFile(join(peers, "manifest.json"), "utf8")) as PeerEntry[];
    for (const [name, code] of Object.entries(broken)) await writeFile(join(peers, `${name}.js`), code);
    // gpu.js, and libraries that fail in every way; others may be installed on this machine, or not.
    const entries = [
      ...manifest.filter(({ always }) => always),
      ...Object.keys(broken).map((name) => ({ library: name, always: true, file: `${name}.js` })),
      { library: "lacking", always: true, reason: "it is not installed" },
    ];
    await writeFile(join(peers, "manifest.json"), JSON.stringify(entries));
    server = await serve(folder);
    browser = (await launchBrowser(kind, { software: process.env.WEBGPU_ADAPTER !== "hardware" })) as Browser;
    // One visit for all tests: the page measures its device at its first run, which takes a software adapter a while.
    page = await browser.newPage();
    // For a page that hangs. A busy machine must not reach it.
    page.setDefaultTimeout(300_000);
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    page.on("pageerror", (error) => errors.push(String(error)));
    await page.goto(`${server.url}bench/`);
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
  const waitForStatus = (wanted: string): Promise<unknown> =>
    until(page, (word) => document.getElementById("status")!.textContent === word, wanted);
  const fill = (values: Readonly<Record<string, string | number>>): Promise<void> =>
    page.evaluate((given) => {
      for (const [id, value] of Object.entries(given)) {
        const field = document.getElementById(id) as HTMLInputElement;
        field.value = String(value);
        for (const type of ["input", "change"]) field.dispatchEvent(new Event(type, { bubbles: true }));
      }
    }, values);

  // First: a visit's first run begins with the device's matrix products, and stops between them at once.
  itThoroughly("cancels a long run, and is ready for the next", async () => {
    await fill({ steps: 400, batch: 32, input: 128, hidden: 256, mode: "training" });
    await page.focus("#run");
    await page.keyboard.press("Enter");
    await until(page, () => !document.getElementById("cancel")!.hidden);
    expect(await page.evaluate(() => document.activeElement?.id), "the keyboard's focus").toBe("cancel");
    expect(await text("left")).toMatch(/ left$|^$/);
    const asked = performance.now();
    await click("#cancel");
    await until(page, () => document.getElementById("cancel")!.hidden && !(document.getElementById("run") as HTMLButtonElement).disabled);
    // Nothing answers while the twins compute; the page gives them four seconds, and a new worker needs some too.
    expect(performance.now() - asked).toBeLessThan(20_000);
  });

  itThoroughly("measures a case on CPU and GPU side by side, shows rows as they come, and lets them be taken along", async () => {
    await page.evaluate(() => {
      HTMLAnchorElement.prototype.click = function () {
        (globalThis as { saved?: string }).saved = this.href;
      };
      Object.defineProperty(navigator.clipboard, "writeText", {
        value: (copied: string) => Promise.resolve(void ((globalThis as { copied?: string }).copied = copied)),
      });
      // How many rows there were whenever the table has changed.
      const seen = ((globalThis as { seen?: number[] }).seen = [] as number[]);
      new MutationObserver(() => seen.push(document.querySelectorAll("#table tbody tr").length)).observe(
        document.querySelector("#table tbody")!,
        { childList: true },
      );
    });
    await fill({ steps: 3, batch: 2, input: 3, hidden: 4, mode: "training" });
    /** The page's estimate for a run of this package alone. */
    const seconds = (): Promise<number> =>
      page.evaluate(() => {
        const others = [...document.querySelectorAll<HTMLInputElement>("#libraries input")].filter(
          (box) => box.checked && !box.value.startsWith("webgpu-rnn "),
        );
        for (const box of others) box.click();
        const said = document.getElementById("takes")!.textContent;
        for (const box of others) box.click();
        return Number(/^Run takes about (\d+) s,/.exec(said)![1]);
      });
    const first = await seconds();
    await click("#run");
    await waitForStatus("Done.");
    // Finding the fastest kernels of either backend is part of a visit's first run.
    expect(await seconds()).toBeLessThan(first);
    expect(await text("chart-title")).toBe("LSTM, training step, 3 × 2 × 3 × 4");
    expect(await text("verdict")).toMatch(/ here\.$/);
    const rows = await page.$$eval("#table tbody tr", (all) => all.map((row) => row.children[3].textContent));
    expect(rows.slice(0, 2)).toEqual(["webgpu-rnn webgpu", "webgpu-rnn cpu"]);
    expect(rows.slice(2)).toContain("gpu.js wasm");
    const seen = await page.evaluate(() => (globalThis as { seen?: number[] }).seen!);
    expect(
      seen.some((count) => count > 0 && count < rows.length),
      `rows came one after the other: ${seen.join()}`,
    ).toBe(true);
    const label = await page.$eval("#chart", (element) => element.getAttribute("aria-label")!);
    for (const row of rows) expect(label).toContain(`${row} `);
    await click("#export");
    const report = (await page.evaluate(async () => (await fetch((globalThis as { saved?: string }).saved!)).json() as unknown)) as Report;
    expect(report.rows.map(({ library, backend }) => `${library} ${backend}`)).toEqual(rows);
    expect(report.adapter).toBe(await text("adapter"));
    expect(report.matmul.webgpu.gflops).toBeGreaterThan(0);
    await click("#copy");
    await until(page, () => document.getElementById("shared")!.textContent === "Copied.");
    const copied = await page.evaluate(() => (globalThis as { copied?: string }).copied!);
    for (const row of report.rows) expect(copied).toContain(row.library);
  });

  itThoroughly("says what became of libraries that fail, and measures the others all the same", async () => {
    expect(await text("refused")).toMatch(
      /^wrong on cpu: refused, it differs from the twin: output\[\d\] is .*\nfading on cpu: refused, it failed while it was timed: the device went away$/,
    );
    await page.$eval("#absent-box", (element) => ((element as HTMLDetailsElement).open = true));
    const said = await text("absent");
    expect(said).toContain("unloadable: it does not start here: no such device");
    expect(said).toContain("lacking: it is not installed");
  });

  itThoroughly("measures a stream in microseconds, beside libraries that have streams", async () => {
    const offered = (): Promise<string[]> => page.$$eval("#libraries input", (boxes) => boxes.map((box) => box.value));
    const before = await offered();
    expect(await page.$eval("#layers-label", (element) => (element as HTMLElement).hidden)).toBe(true);
    await fill({ mode: "stream" });
    expect(await page.$eval("#layers-label", (element) => (element as HTMLElement).hidden)).toBe(false);
    const now = await offered();
    const own = ["webgpu-rnn cpu stepRows", "webgpu-rnn cpu batcher", "onnxruntime-web wasm", "plain loop js", "floor wasm"];
    expect(now.filter((name) => !before.includes(name))).toEqual(own);
    // It has no streams.
    expect(before).toContain("gpu.js wasm");
    expect(now.filter((name) => name.startsWith("gpu.js"))).toEqual([]);
    const disabled = (): Promise<boolean> => page.$eval("#hidden", (element) => (element as HTMLInputElement).disabled);
    await fill({ shape: "all" });
    expect(await disabled()).toBe(true);
    await fill({ shape: "1x1x128x128x3" });
    expect(await page.$eval("#layers", (element) => (element as HTMLInputElement).value)).toBe("3");
    expect(await disabled()).toBe(false);
    await fill({ steps: 1, batch: 2, input: 3, hidden: 4, layers: 1 });
    expect(await page.$eval("#shape", (element) => (element as HTMLSelectElement).value)).toBe("own");
    // The GPU is another test's.
    await click('#libraries input[value="webgpu-rnn webgpu"]');
    await click("#run");
    await waitForStatus("Done.");
    await click('#libraries input[value="webgpu-rnn webgpu"]');
    expect(await text("chart-title")).toBe("LSTM, frames of a stream, 1 × 2 × 3 × 4");
    expect(await text("verdict")).toMatch(/ µs on cpu\.$/);
    const rows = await page.$$eval("#table tbody tr", (all) =>
      all.flatMap(({ children }) =>
        children[0].textContent === "frames of a stream" ? [[children[3].textContent, children[4].textContent]] : [],
      ),
    );
    expect(rows.map(([name]) => name)).toEqual(["webgpu-rnn cpu", ...own]);
    for (const [, median] of rows) expect(median).toMatch(/^[\d.]+ µs$/);
    expect(await page.$eval("#chart", (element) => element.getAttribute("aria-label")!)).toMatch(/ µs, from /);
  });

  itThoroughly("ends the terminal's run when the browser ends", async () => {
    const other = (await launchBrowser(kind, { software: true })) as Browser;
    const opened = await other.newPage();
    await opened.goto(`${server.url}bench/`);
    let begun = (): void => undefined;
    const events = new Promise<void>((resolve) => (begun = resolve));
    const run = drive(opened, { options: { seconds: 600 }, peers: false, machine: "", browser: "" }, begun);
    await Promise.race([events, run]);
    other.process()!.kill("SIGKILL");
    await expect(run).rejects.toThrow(/^the (browser|page) closed$/);
  });

  it("refuses a size that is none, in its own words", async () => {
    await fill({ hidden: 0 });
    await click("#run");
    expect(await text("problem")).toBe("Hidden size: must be a whole number from 1 to 8192, got 0");
    expect(await page.$eval("#hidden", (element) => element.getAttribute("aria-invalid"))).toBe("true");
  });

  itThoroughly("can be used by everybody, as far as axe-core sees", async () => {
    expect(await violations(page)).toEqual([]);
  });

  it("links to the other pages", async () => {
    expect(await page.$$eval(".pages a", (links) => links.map((link) => `${link.getAttribute("href")} ${link.ariaCurrent}`))).toEqual([
      "../ null",
      "../gradients/ null",
      "../models/ null",
      "../audio/ null",
      "../bench/ page",
    ]);
  });
});
