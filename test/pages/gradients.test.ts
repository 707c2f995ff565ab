// The page of gradients in a real browser: what is drawn is what the numbers say, and the buttons do what they say.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { violations } from "./accessibility.ts";
import { kind } from "./built-pages.ts";
import { DemoPage, serveDemo } from "./demo-page.ts";
import { itThoroughly } from "../thorough.ts";

/** Small enough to be quick. */
const small = { units: 8, steps: 8, learningRate: 0.01 };

describe(`the page of gradients in ${kind}`, () => {
  let demo: Awaited<ReturnType<typeof serveDemo>>;
  let page: DemoPage;

  beforeAll(async () => {
    demo = await serveDemo();
    page = await DemoPage.tab(demo.browser);
  });
  afterAll(() => demo.close());
  beforeEach(() => page.visit(`${demo.url}gradients/`));
  afterEach(() => expect(page.errors).toEqual([]));

  const cells = ["tanh", "irnn", "gru", "lstm"] as const;
  type Cell = (typeof cells)[number];

  /** Fills in settings that need new networks, and waits for these. */
  async function use(settings: Readonly<Record<string, string | number>>): Promise<void> {
    const made = (): Promise<number> =>
      page.page.evaluate(
        () =>
          (globalThis as unknown as { spied: { replies: { kind: string }[] } }).spied.replies.filter(({ kind: of }) => of === "networks")
            .length,
      );
    const before = await made();
    await page.fill(settings);
    const fields = Object.keys(settings).filter((id) => id !== "learningRate").length;
    await expect.poll(made, { timeout: 300_000 }).toBe(before + fields);
    await page.waitForStatus("Ready");
  }

  /** For each network, the share that the page shows for the chosen step. */
  async function arrives(): Promise<Record<Cell, number>> {
    const labels = await page.page.$$eval(".map canvas", (canvases) => canvases.map((canvas) => canvas.getAttribute("aria-label")!));
    const numbers = labels.map((label) => {
      const [, digits, exponent = ""] = /(?:,| is) ([\d.,]+)(?:·10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+))?/.exec(label)!;
      const power = Array.from(exponent, (c) => (c === "⁻" ? "-" : "⁰¹²³⁴⁵⁶⁷⁸⁹".indexOf(c))).join("");
      return Number(digits.replaceAll(",", "")) * 10 ** Number(power);
    });
    return Object.fromEntries(cells.map((cell, n) => [cell, numbers[n]])) as Record<Cell, number>;
  }

  /** Brightness, from 0 to 1, and opacity in the middle of square (t, k) of a network's picture. */
  const pixel = (cell: Cell, t: number, k: number, steps: number): Promise<{ light: number; opaque: boolean }> =>
    page.page.$eval(
      `#network-${cell} canvas`,
      (element, at) => {
        const canvas = element;
        const [x, y] = [at.k, at.t].map((step) => Math.floor(((step - 0.5) / at.steps) * canvas.width));
        const [r, g, b, a] = canvas.getContext("2d")!.getImageData(x, y, 1, 1).data;
        return { light: (r + g + b) / 765, opaque: a === 255 };
      },
      { t, k, steps },
    );
  const drawn = (): Promise<unknown> =>
    page.page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));

  it("draws, before any training, how gradients fade in a plain RNN and arrive in an IRNN", async () => {
    await use({ steps: 30 });
    await drawn();
    const { tanh, irnn } = await arrives();
    expect(tanh).toBeLessThan(1e-5);
    // 30 steps of the identity: only where a unit was 0 is anything lost.
    expect(irnn).toBeGreaterThan(0.3);
    expect((await pixel("tanh", 30, 3, 30)).light).toBeGreaterThan((await pixel("irnn", 30, 3, 30)).light + 0.4);
    for (const cell of cells)
      expect((await pixel(cell, 3, 20, 30)).opaque, `${cell}: nothing reaches from a step to a later one`).toBe(false);
  });

  itThoroughly("draws what explodes in another colour, as large as the textbook says", async () => {
    await use({ identityTimes: 1.2, steps: 30 });
    // 1.2^29 = 198, of units that stay above 0 all the way.
    const { irnn } = await arrives();
    expect(irnn).toBeGreaterThan(60);
    expect(irnn).toBeLessThan(198);
    expect(await page.page.$eval("#network-irnn", (element) => (element as HTMLElement).dataset.fate)).toBe("exploded");
    // Ten steps nearer it has grown by ten factors less: 1.2^10 = 6.2; two digits are shown.
    await page.fill({ k: 11 });
    const nearer = irnn / (await arrives()).irnn;
    expect(nearer).toBeGreaterThan(5);
    expect(nearer).toBeLessThan(7.5);
    expect(await page.text("t-said")).toBe("30");
    expect(await page.text("k-said")).toBe("11");
  });

  itThoroughly("trains: the LSTM learns and its gradients arrive, the plain RNN's do not; pauses, continues, resets", async () => {
    await use({ units: 12, steps: 30, learningRate: 0.01 });
    await page.choose("cpu");
    await page.click("#start");
    await page.until(() => document.querySelector<HTMLElement>("#network-lstm")!.dataset.progress === "has learnt it");
    await page.click("#pause");
    await page.waitForStatus("Paused");
    const step = await page.step();
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await page.step()).toBe(step);
    const { tanh, lstm } = await arrives();
    expect(lstm).toBeGreaterThan(0.01);
    expect(tanh).toBeLessThan(lstm / 20);
    expect(await page.page.$eval("#network-tanh", (element) => (element as HTMLElement).dataset.progress)).toBe("no better than guessing");
    expect(await page.page.$eval("#chart", (element) => element.getAttribute("aria-label"))).toMatch(
      new RegExp(`^Loss curves: step ${step}: Plain RNN 0\\.1\\d+, .*LSTM 0\\.0\\d+$`),
    );

    await page.click("#start");
    await page.until((before) => Number(document.getElementById("step")!.textContent) > before, step);
    await page.click("#reset");
    await page.waitForStatus("Ready");
    expect(await page.step()).toBe(0);
    expect(await page.text("network-lstm")).toContain("loss –");
  });

  itThoroughly("moves what it has learnt to WebGPU, and shows the same gradients there", async () => {
    await use(small);
    await page.choose("cpu");
    await page.click("#start");
    await page.until(() => Number(document.getElementById("step")!.textContent) >= 20);
    await page.click("#pause");
    await page.waitForStatus("Paused");
    await new Promise((resolve) => setTimeout(resolve, 500));
    const [step, before] = [await page.step(), await arrives()];
    await page.click('input[name="backend"][value="webgpu"]');
    await page.until(() => document.getElementById("device")!.dataset.backend === "webgpu");
    await page.waitForStatus("Paused");
    expect(await page.step()).toBe(step);
    const after = await arrives();
    for (const cell of cells) expect(after[cell] / before[cell], cell).toBeCloseTo(1, 1);
    await page.click("#start");
    await page.until((last) => Number(document.getElementById("step")!.textContent) >= last + 3, step);
    await page.click("#pause");
    await page.waitForStatus("Paused");
  });

  itThoroughly("says what is wrong with settings, and which network's loss is no number any more, while the others go on", async () => {
    await page.fill({ units: 0 });
    await page.waitForNotice("Units: must be a whole number from 1 to 128, got 0");
    await use({ ...small, identityTimes: 2, clip: 0, steps: 100 });
    await page.choose("cpu");
    await page.click("#start");
    await page.waitForNotice("The loss of the IRNN is no longer a number");
    const step = await page.step();
    await page.until((last) => Number(document.getElementById("step")!.textContent) >= last + 5, step);
    expect(await page.text("network-irnn")).toContain("no number any more");
    expect(await page.text("network-lstm")).toMatch(/loss \d/);
  });

  itThoroughly("begins again on the CPU when the device is lost", async () => {
    await use(small);
    await page.choose("webgpu");
    await page.driver("reset");
    await page.waitForNotice("The device was lost");
    await page.clickWay(/^Begin again on the CPU$/);
    await page.waitForStatus("Training");
    expect(await page.text("device-name")).toMatch(/^CPU/);
  });

  itThoroughly("can be used by everybody, as far as axe-core sees", async () => {
    expect(await violations(page.page)).toEqual([]);
  });

  itThoroughly("is linked from the demo, and back", async () => {
    const follow = (): Promise<unknown> =>
      page.page.$eval(".pages a:not([aria-current])", (link) =>
        link.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true })),
      );
    await follow();
    await page.until(() => location.pathname === "/" && document.getElementById("status")?.textContent === "Ready");
    await follow();
    await page.until(() => location.pathname === "/gradients/" && document.getElementById("status")?.textContent === "Ready");
  });
});
