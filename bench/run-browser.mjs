// The bench in a headless browser: the page's worker, in a page of its own.
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { launchBrowser } from "../scripts/browsers.mjs";
import { root } from "../scripts/bundle.mjs";
import { buildPage } from "../scripts/pages.mjs";
import { serve } from "../scripts/serve.mjs";
import { buildPeers } from "./build-peers.mjs";

/** Chromium is asked for a real adapter first; its software one has to be asked for by name. */
function attempts(kind) {
  const wanted = process.env.WEBGPU_ADAPTER ?? "auto";
  if (kind === "firefox" || wanted === "hardware") return [{}];
  return wanted === "software" ? [{ software: true }] : [{}, { software: true }];
}

/** A browser whose page is at `url`; the last attempt counts even without an adapter, for the CPU rows. */
async function openBrowser(kind, url) {
  const ways = attempts(kind);
  for (const [i, options] of ways.entries()) {
    const browser = await launchBrowser(kind, options);
    const page = await browser.newPage();
    await page.goto(url);
    const found = await page.evaluate(async () => ((await navigator.gpu?.requestAdapter()) ?? null) !== null);
    if (found || i === ways.length - 1) return { browser, page };
    await browser.close();
  }
}

export async function runInBrowser(kind, options, { peers, machine, onEvent }) {
  const folder = join(root, "build", `bench-${kind}`);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await buildPage("bench", folder);
  await buildPeers(join(folder, "peers"), { install: peers });
  await writeFile(
    join(folder, "terminal.html"),
    '<!doctype html><meta charset="utf-8"><title>bench</title><link rel="icon" href="data:,">',
  );
  const server = await serve(folder);
  let opened;
  try {
    opened = await openBrowser(kind, `${server.url}terminal.html`);
    const { browser, page } = opened;
    return await drive(page, { options, peers, machine, browser: await browser.version() }, onEvent);
  } finally {
    await opened?.browser.close().catch(() => {});
    await server.close();
  }
}

/** Starts the worker in the page and hands on what it says. Fails if the page or its browser ends before. */
export function drive(page, { options, peers, machine, browser }, onEvent) {
  return new Promise((finish, fail) => {
    const receive = (reply) => {
      if (reply.kind === "event") onEvent(reply.event);
      else if (reply.kind === "done") finish({ report: reply.report, text: reply.text });
      else if (reply.kind === "problem") fail(new Error(reply.message));
    };
    page.on("error", (error) => fail(new Error(`the page crashed: ${error.message}`)));
    page.on("close", () => fail(new Error("the page closed")));
    // A browser that ends takes its pages with it without a word of theirs.
    page.browser().once("disconnected", () => fail(new Error("the browser closed")));
    page
      .exposeFunction("receive", receive)
      .then(() =>
        page.evaluate(
          (run, all) => {
            const worker = new Worker("worker.js", { type: "module" });
            worker.onerror = (event) => window.receive({ kind: "problem", message: `the worker failed: ${event.message}` });
            worker.onmessage = ({ data }) => {
              if (data.kind === "opened") worker.postMessage({ kind: "run", ...run });
              else window.receive(data);
            };
            worker.postMessage({ kind: "open", all });
          },
          { options, machine, browser },
          peers,
        ),
      )
      .catch(fail);
  });
}
