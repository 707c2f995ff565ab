// Threads of the package, bundled, in a page: they start without a file of their own, end with the backend, and are refused
// in words where the page may not share memory.
import { createReadStream } from "node:fs";
import { createServer } from "node:http";
import { mkdir, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Browser, Page } from "puppeteer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type * as webgpuRnn from "webgpu-rnn";
import { launchBrowser } from "../../scripts/browsers.mjs";
import { bundle, root } from "../../scripts/bundle.mjs";
import { serve } from "../../scripts/serve.mjs";
import { kind } from "./built-pages.ts";

declare const rnn: typeof webgpuRnn;
const folder = join(root, "build", `test-threads-${kind}`);

describe(`threads in ${kind}`, () => {
  let browser: Browser;
  beforeAll(async () => {
    await mkdir(folder, { recursive: true });
    await bundle({ entryPoints: ["src/index.ts"], outfile: join(folder, "webgpu-rnn.min.js"), minify: true });
    const script = 'import * as rnn from "/webgpu-rnn.min.js"; globalThis.rnn = rnn;';
    await writeFile(join(folder, "page.js"), script);
    await writeFile(join(folder, "index.html"), '<!doctype html><title>threads</title><script type="module" src="page.js"></script>');
    browser = (await launchBrowser(kind, { software: true })) as Browser;
  });
  afterAll(() => browser.close());

  async function open(url: string): Promise<Page> {
    const page = await browser.newPage();
    await page.goto(`${url}index.html`);
    await page.waitForFunction(() => "rnn" in globalThis);
    return page;
  }

  it("start in a page that is cross-origin isolated, compute, and end with the backend", async () => {
    const server = await serve(folder);
    try {
      const page = await open(server.url);
      const first = await page.evaluate(async () => {
        const backend = await rnn.createBackend("cpu", { threads: 3 });
        (globalThis as { backend?: unknown }).backend = backend;
        const { output } = await rnn.forward(
          new rnn.LSTM(32, 64, { seed: 1 }),
          { shape: [16, 32, 32], data: new Float32Array(16 * 32 * 32).fill(0.1) },
          { backend },
        );
        return { adapter: backend.adapter, last: output.data[output.data.length - 1] };
      });
      expect(first.adapter).toContain("3 threads");
      expect(Math.abs(first.last)).toBeGreaterThan(0);
      if (kind === "chromium") expect(page.workers().length).toBe(2);
      await page.evaluate(() => (globalThis as unknown as { backend: { destroy(): void } }).backend.destroy());
      if (kind === "chromium") await expect.poll(() => page.workers().length).toBe(0);
      await page.close();
    } finally {
      await server.close();
    }
  });

  it("are refused in a page without the headers, which the message names", async () => {
    const server = createServer((request, response) => {
      const path = new URL(request.url!, "http://localhost").pathname;
      response.setHeader("Content-Type", path.endsWith(".html") ? "text/html" : "text/javascript");
      createReadStream(join(folder, path))
        .on("error", () => response.destroy())
        .pipe(response);
    });
    await new Promise<void>((done) => server.listen(0, "localhost", done));
    try {
      const page = await open(`http://localhost:${(server.address() as AddressInfo).port}/`);
      const message = await page.evaluate(() =>
        rnn.createBackend("cpu", { threads: 2 }).then(
          () => "no error",
          (error: unknown) => String(error),
        ),
      );
      expect(message).toMatch(
        /threads need SharedArrayBuffer.*Cross-Origin-Opener-Policy: same-origin.*Cross-Origin-Embedder-Policy: require-corp/,
      );
      await page.close();
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });
});
