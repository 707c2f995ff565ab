// Code that a page loads when it is first needed, and that does not arrive: the package's error says so, and a later call
// gets on. Chromium asks the server again; Firefox keeps the failure until the page is reloaded.
import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Browser, Page } from "puppeteer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type * as webgpuRnn from "webgpu-rnn";
import { launchBrowser } from "../../scripts/browsers.mjs";
import { bundle, root } from "../../scripts/bundle.mjs";
import { serve } from "../../scripts/serve.mjs";
import { kind } from "./built-pages.ts";

declare const rnn: typeof webgpuRnn;
const folder = join(root, "build", `test-late-code-${kind}`);

/** One time step of a small layer, on a backend of its own; or the error of the package, or another one. */
async function stepOf(page: Page, on: "cpu" | "webgpu", options: webgpuRnn.BackendOptions, training: boolean) {
  return page.evaluate(
    async (on: "cpu" | "webgpu", options: webgpuRnn.BackendOptions, training: boolean) => {
      try {
        const backend = await rnn.createBackend(on as "cpu", options);
        try {
          const layer = new rnn.LSTM(2, 3, { seed: 1 });
          const input = { shape: [1, 1, 2], data: Float32Array.of(1, 2) };
          if (training) await rnn.gradients(layer, input, { output: { shape: [1, 1, 3], data: new Float32Array(3).fill(1) } }, { backend });
          return { length: (await rnn.forward(layer, input, { backend, strategy: "step" })).output.data.length };
        } finally {
          backend.destroy();
        }
      } catch (error) {
        const { kind, where, message } = error as webgpuRnn.RnnError;
        return { isOwn: error instanceof rnn.RnnError, kind, where, message };
      }
    },
    on,
    options,
    training,
  );
}

describe(`late code in ${kind}`, () => {
  let browser: Browser;
  let server: Awaited<ReturnType<typeof serve>>;
  beforeAll(async () => {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    await bundle({ entryPoints: ["src/index.ts"], outdir: folder, splitting: true, minify: true });
    await writeFile(join(folder, "page.js"), 'import * as rnn from "/index.js"; globalThis.rnn = rnn;');
    await writeFile(join(folder, "index.html"), '<!doctype html><title>late</title><script type="module" src="page.js"></script>');
    server = await serve(folder);
    browser = (await launchBrowser(kind, { software: true })) as Browser;
  });
  afterAll(async () => {
    await browser.close();
    await server.close();
  });

  const arrived = (page: Page) => page.waitForFunction(() => "rnn" in globalThis);

  /** Each moment at which code is loaded, with a file of it. */
  const moments: [
    what: string,
    file: string,
    where: string,
    on: "cpu" | "webgpu",
    options?: webgpuRnn.BackendOptions,
    training?: boolean,
  ][] = [
    ["the CPU backend", "cpu-backend", "the CPU backend", "cpu"],
    ["its kernels", "running", "the CPU backend", "cpu"],
    ["its kernels without WebAssembly", "slow-kernels", "the CPU backend", "cpu", { wasm: false }],
    ["its threads", "threads", "threads", "cpu", { threads: 2 }],
    ["the backward pass", "derivatives", "gradients", "cpu", {}, true],
    ["the WebGPU backend", "create-webgpu", "the WebGPU backend", "webgpu"],
    ["a group of shaders", "step", "shaders", "webgpu"],
  ];
  it.each(kind === "chromium" ? moments : moments.slice(0, 3))(
    "%s: an error of the package, then results",
    async (_, name, where, on, options = {}, training = false) => {
      const file = join(
        folder,
        (await readdir(folder)).find((one) => one.startsWith(`${name}-`) && one.endsWith(".js"))!,
      );
      const page = await browser.newPage();
      await page.goto(`${server.url}index.html`);
      await arrived(page);
      await rename(file, `${file}.gone`);
      try {
        expect(await stepOf(page, on, options, training)).toEqual({
          isOwn: true,
          kind: "load",
          where,
          message: expect.stringMatching(
            new RegExp(`^${where}: its code could not be loaded: .*then call again, or reload the page$`),
          ) as string,
        });
      } finally {
        await rename(`${file}.gone`, file);
      }
      if (kind === "firefox") await page.reload();
      await arrived(page);
      expect(await stepOf(page, on, options, training)).toEqual({ length: 3 });
      await page.close();
    },
  );
});
