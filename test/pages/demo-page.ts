/** Opens a page of the demo in the browser that BROWSER names, and does with it what a visitor does. */
import type { Browser, EvaluateFunc, Page } from "puppeteer";
import { launchBrowser } from "../../scripts/browsers.mjs";
import { serve } from "../../scripts/serve.mjs";
import type { Reply } from "../../demo/messages.ts";
import { folder, kind } from "./built-pages.ts";

/** The data that `spy` collects in the page. */
interface Spied {
  /** All messages of workers. */
  replies: Reply[];
  workers: Worker[];
  saved: { name: string; href: string }[];
  /** Longest time, in ms, that the page's main thread did not come round. */
  longestGap: number;
}
type SpiedWindow = typeof globalThis & { spied: Spied };

/** Runs in the page before its own scripts: listens in on its worker, keeps downloads, watches the main thread. */
function spy(): void {
  const spied: Spied = { replies: [], workers: [], saved: [], longestGap: 0 };
  (globalThis as SpiedWindow).spied = spied;
  // Code beside the page's worker acts like a bad driver: it resets the device, computes wrongly, or is missing.
  const driver = `
    const devices = [];
    const request = GPUAdapter.prototype.requestDevice;
    GPUAdapter.prototype.requestDevice = async function (...args) { const device = await request.apply(this, args); devices.push(device); return device; };
    const misfortunes = {
      reset() { devices.at(-1).destroy(); },
      stalled() { const until = Date.now() + 60_000; setTimeout(() => { while (Date.now() < until); }); },
      missing() { Object.defineProperty(navigator, "gpu", { value: undefined }); },
      wrong() {
        const compile = GPUDevice.prototype.createShaderModule;
        GPUDevice.prototype.createShaderModule = function (module) { return compile.call(this, { ...module, code: module.code.replaceAll("1.0 + exp(", "1.001 + exp(") }); };
      },
    };
    const channel = new BroadcastChannel("driver");
    channel.onmessage = ({ data }) => { misfortunes[data](); channel.postMessage("done"); };`;
  globalThis.Worker = class extends Worker {
    constructor(url: string | URL, options?: WorkerOptions) {
      const code = `import ${JSON.stringify(String(url))};${driver}`;
      super(URL.createObjectURL(new Blob([code], { type: "text/javascript" })), options);
      spied.workers.push(this);
      this.addEventListener("message", ({ data }: MessageEvent<Reply>) => spied.replies.push(data));
    }
  };
  HTMLAnchorElement.prototype.click = function () {
    spied.saved.push({ name: this.download, href: this.href });
  };
  let last = performance.now();
  setInterval(() => {
    const now = performance.now();
    spied.longestGap = Math.max(spied.longestGap, now - last);
    last = now;
  }, 5);
}

export interface Losses {
  readonly step: number;
  readonly loss: number;
}

export interface PageFile {
  readonly name: string;
  readonly base64: string;
}

export const fileOf = (name: string, content: string | Uint8Array): PageFile => ({ name, base64: Buffer.from(content).toString("base64") });

/**
 * Waits until `test` holds in the page. It asks 20 times a second: Puppeteer's default, once a frame, has the page draw
 * all the time, which takes a software renderer more than half a core.
 */
export function until<Given extends unknown[], Test extends EvaluateFunc<Given>>(
  page: Page,
  test: Test,
  ...given: Given
): Promise<unknown> {
  return page.waitForFunction<Given, Test>(test, { polling: 50 }, ...given);
}

export class DemoPage {
  /** Errors that the page has written to the console or thrown. */
  readonly errors: string[] = [];

  constructor(readonly page: Page) {
    page.on("console", (message) => message.type() === "error" && this.errors.push(message.text()));
    page.on("pageerror", (error) => this.errors.push(String(error)));
    // For a page that hangs. A busy machine must not reach it.
    page.setDefaultTimeout(300_000);
  }

  /**
   * A tab, with nothing in it yet.
   * @param browser or a context of it, with a memory of its own
   */
  static async tab(browser: Pick<Browser, "newPage">): Promise<DemoPage> {
    const made = new DemoPage(await browser.newPage());
    await made.page.evaluateOnNewDocument(spy);
    return made;
  }

  /** Opens a page in a tab of its own. */
  static async open(browser: Pick<Browser, "newPage">, url: string): Promise<DemoPage> {
    const made = await DemoPage.tab(browser);
    await made.visit(url);
    return made;
  }

  /** Leaves what is in the tab and opens a page: a further tab would cost the browser a process. */
  async visit(url: string): Promise<void> {
    await this.page.goto("about:blank");
    this.errors.length = 0;
    await this.page.goto(url);
    await this.waitForStatus("Ready");
  }

  until<Given extends unknown[], Test extends EvaluateFunc<Given>>(test: Test, ...given: Given): Promise<unknown> {
    return until(this.page, test, ...given);
  }

  text(id: string): Promise<string> {
    return this.page.$eval(`#${id}`, (element) => (element as HTMLElement).innerText);
  }

  /** As a user's click; a scripted one, since Firefox' driver is slow at scrolling things into view. */
  click(selector: string): Promise<void> {
    return this.page.$eval(selector, (element) => (element as HTMLElement).click());
  }

  /** Clicks the button among the notices whose label matches, and gives the label. */
  clickWay(label: RegExp): Promise<string> {
    return this.page.evaluate((wanted) => {
      const buttons = [...document.querySelectorAll<HTMLElement>("#notices button")];
      const found = buttons.find(({ textContent }) => new RegExp(wanted).test(textContent));
      if (!found) throw new Error(`no button says ${wanted}, only ${buttons.map(({ textContent }) => textContent).join(", ")}`);
      found.click();
      return found.textContent;
    }, label.source);
  }

  fill(values: Readonly<Record<string, string | number>>): Promise<void> {
    return this.page.evaluate((given) => {
      for (const [id, value] of Object.entries(given)) {
        const field = document.getElementById(id) as HTMLInputElement;
        field.value = String(value);
        for (const type of ["input", "change"]) field.dispatchEvent(new Event(type, { bubbles: true }));
      }
    }, values);
  }

  async choose(backend: "webgpu" | "cpu"): Promise<void> {
    await this.click(`input[name="backend"][value="${backend}"]`);
    await this.until((wanted) => document.getElementById("device")!.dataset.backend === wanted, backend);
    await this.waitForStatus("Ready");
  }

  waitForStatus(wanted: string): Promise<unknown> {
    return this.until((word) => document.getElementById("status")!.textContent === word, wanted);
  }

  waitForNotice(part: string): Promise<unknown> {
    return this.until((wanted) => document.getElementById("notices")!.innerText.includes(wanted), part);
  }

  /** Waits until the losses up to and including `step` have come. */
  async waitForStep(step: number): Promise<void> {
    await this.until(
      (wanted) => (globalThis as SpiedWindow).spied.replies.some((r) => r.kind === "progress" && r.steps.at(-1)!.step >= wanted),
      step,
    );
  }

  /** All losses that the worker has reported since the page was opened. */
  losses(): Promise<Losses[]> {
    return this.page.evaluate(() => (globalThis as SpiedWindow).spied.replies.flatMap((r) => (r.kind === "progress" ? r.steps : [])));
  }

  async step(): Promise<number> {
    return Number((await this.text("step")).replaceAll(",", ""));
  }

  /**
   * The longest time that the main thread was busy, in the best of up to three seconds: training that blocks it blocks
   * it in each of them, other programs on a loaded machine do not.
   */
  async calmestSecond(enough = 100): Promise<number> {
    let least = Infinity;
    for (let i = 0; i < 3 && least > enough; i++) {
      await this.page.evaluate(() => ((globalThis as SpiedWindow).spied.longestGap = 0));
      await new Promise((resolve) => setTimeout(resolve, 1000));
      least = Math.min(least, await this.page.evaluate(() => (globalThis as SpiedWindow).spied.longestGap));
    }
    return least;
  }

  /** Lets something happen to the worker's WebGPU. */
  driver(misfortune: "reset" | "missing" | "stalled" | "wrong"): Promise<void> {
    return this.page.evaluate(
      (data) =>
        new Promise<void>((resolve) => {
          const channel = new BroadcastChannel("driver");
          channel.onmessage = () => resolve();
          channel.postMessage(data);
        }),
      misfortune,
    );
  }

  /** Lets the browser tell the page that its worker has died. */
  killWorker(): Promise<void> {
    return this.page.evaluate(
      () => void (globalThis as SpiedWindow).spied.workers.at(-1)!.dispatchEvent(new ErrorEvent("error", { message: "out of memory" })),
    );
  }

  /** Says something to the worker past the page. */
  tellWorker(message: object): Promise<void> {
    return this.page.evaluate((data) => (globalThis as SpiedWindow).spied.workers.at(-1)!.postMessage(data), message);
  }

  /** The last file that the page gave to download. */
  async saved(): Promise<PageFile> {
    await this.until(() => (globalThis as SpiedWindow).spied.saved.length > 0);
    return this.page.evaluate(async () => {
      const { name, href } = (globalThis as SpiedWindow).spied.saved.pop()!;
      const bytes = new Uint8Array(await (await fetch(href)).arrayBuffer());
      return { name, base64: btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")) };
    });
  }

  /** Opens a checkpoint. */
  upload(file: PageFile): Promise<void> {
    return this.give(file, "upload");
  }

  /** Chooses files in the field with this id, or drops them on the page ("drop"). */
  give(given: PageFile | readonly PageFile[], where: string): Promise<void> {
    return this.page.evaluate(
      (list, place) => {
        const files = new DataTransfer();
        for (const { name, base64 } of list) files.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name));
        if (place === "drop")
          return void document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: files, bubbles: true, cancelable: true }));
        const field = document.getElementById(place) as HTMLInputElement;
        field.files = files.files;
        field.dispatchEvent(new Event("change", { bubbles: true }));
      },
      [given].flat(),
      where,
    );
  }

  /** How many samples the page has been sent to their end. */
  samplesDone(): Promise<number> {
    return this.page.evaluate(
      () => (globalThis as SpiedWindow).spied.replies.filter((reply) => reply.kind === "sample" && reply.done).length,
    );
  }

  /** The id of the element that has the keyboard's focus. */
  focused(): Promise<string> {
    return this.page.evaluate(() => document.activeElement?.id ?? "");
  }

  /** True if the whole message is in the window. */
  noticeIsInView(): Promise<boolean> {
    return this.page.$eval("#notices .notice", (notice) => {
      const { top, bottom } = notice.getBoundingClientRect();
      return top >= 0 && bottom <= innerHeight;
    });
  }
}

/** The pages served, and a browser to open them with. */
export async function serveDemo(
  options: { microphone?: string } = {},
): Promise<{ browser: Browser; url: string; close: () => Promise<void> }> {
  const server = await serve(folder);
  const browser = (await launchBrowser(kind, { software: process.env.WEBGPU_ADAPTER !== "hardware", ...options })) as Browser;
  return {
    browser,
    url: server.url,
    async close() {
      await browser.close();
      await server.close();
    },
  };
}
