// One browser lane: bundles the device tests into a page, opens it in a real browser, counts what it reports.
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { aptInstall, launchBrowser, NoBrowserError } from "../../scripts/browsers.mjs";
import { bundle, root } from "../../scripts/bundle.mjs";
import { serve } from "../../scripts/serve.mjs";
import { stackMapper } from "./stack.mjs";

/** A page that says nothing for longer than this, and than a test may take, hangs or has crashed. */
const silenceLimit = 900_000;

const notStarted = "the page's first report";

const remedies = {
  chromium: "this Chromium offers no adapter; a recent Chrome or Chromium has a software one",
  firefox: "Firefox needs a Vulkan, Metal or Direct3D driver (Debian, without a GPU: apt-get install mesa-vulkan-drivers libvulkan1)",
};

/** Bundles the given test files, with all of their tests if `thorough`, into `folder`. Splitting keeps one copy of the library and of the runner. */
async function bundlePage(files, thorough, folder) {
  const list = files.map((file) => `${JSON.stringify(file)}: () => import(${JSON.stringify(`./${file}`)})`);
  const deviceTests = {
    name: "device-tests",
    setup(build) {
      build.onResolve({ filter: /^virtual:device-tests$/ }, () => ({ path: "list", namespace: "device-tests" }));
      build.onLoad({ filter: /.*/, namespace: "device-tests" }, () => ({
        contents: `export const tests = {\n${list.join(",\n")}\n};`,
        resolveDir: root,
      }));
    },
  };
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await bundle({
    entryPoints: { page: "test/browser/page.ts" },
    outdir: folder,
    splitting: true,
    alias: { vitest: "./test/browser/vitest.ts" },
    // Packages made for Node too look at process.env; pages have none.
    define: { "process.env.NODE_ENV": '"test"', "process.env.THOROUGH": thorough ? '"1"' : "undefined" },
    plugins: [deviceTests],
  });
  await writeFile(
    join(folder, "index.html"),
    '<!doctype html><meta charset="utf-8"><title>tests</title><link rel="icon" href="data:,"><script type="module" src="page.js"></script>',
  );
}

/** Opens the page once. Resolves to the counts, with `adapter: null` where the browser has none. */
async function runPage(kind, url, options, readable, print) {
  const counts = { passed: 0, failed: 0, skipped: 0, adapter: null };
  const browser = await launchBrowser(kind, options);
  const version = await browser.version();
  let running = notStarted;
  let timer;
  try {
    const page = await browser.newPage();
    await new Promise((finish, fail) => {
      const listen = () => {
        clearTimeout(timer);
        timer = setTimeout(() => fail(new Error(`nothing heard for ${silenceLimit / 1000} s while in: ${running}`)), silenceLimit);
      };
      const receive = (message) => {
        if (message.kind === "done") finish();
        else if (message.kind === "start") running = message.name;
        else if (message.kind === "adapter") {
          // Chromium may fall back to software unasked, and Mesa's driver counts as hardware to some.
          const software = message.software || /swiftshader|llvmpipe|lavapipe|basic render/i.test(message.adapter ?? "");
          counts.adapter = software && process.env.WEBGPU_ADAPTER === "hardware" ? null : message.adapter;
          running = "the loading of a test file";
          if (counts.adapter === null) finish();
          else print(`${version}, adapter: ${message.adapter}`);
        } else if (message.kind === "file") print(`  ${message.path} (${message.tests} tests) ${message.milliseconds} ms`);
        else if (message.state === "fail") {
          counts.failed++;
          print(`  FAIL ${message.name}\n${readable(message.errors.join("\n")).replace(/^/gm, "       ")}`);
        } else if (message.state === "pass") counts.passed++;
        else counts.skipped++;
      };
      listen();
      // Uncaught errors and unhandled rejections fail the lane as they fail Vitest; a page that does not even load, at once.
      page.on("pageerror", (error) => {
        const text = String(error?.stack ?? error);
        if (running === notStarted) fail(new Error(`the page does not load: ${readable(text)}`));
        else receive({ kind: "result", name: `uncaught error (during ${running})`, state: "fail", errors: [text] });
      });
      page.on("console", (entry) => print(`  console.${entry.type()}: ${entry.text()}`));
      page.on("close", () => fail(new Error(`the page closed while in: ${running}`)));
      page.on("error", (error) => fail(new Error(`the page crashed while in: ${running} (${error.message})`)));
      browser.on("disconnected", () => fail(new Error(`the browser ended while in: ${running}`)));
      page
        .exposeFunction("report", (messages) => {
          listen();
          messages.forEach(receive);
        })
        .then(() => page.goto(url, { timeout: 0 }))
        .catch(fail);
    });
    return counts;
  } finally {
    clearTimeout(timer);
    browser.removeAllListeners("disconnected");
    await browser.close().catch(() => {});
  }
}

/**
 * Runs the test files in `kind` ("chromium" or "firefox"), with all of their tests if `thorough`: counts, or `{ missing: reason }` without an adapter.
 * Messages go to `print`.
 */
export async function runBrowserLane(kind, files, thorough, print) {
  const folder = join(root, "build", `test-${kind}`);
  await bundlePage(files, thorough, folder);
  const server = await serve(folder);
  const readable = stackMapper(folder, server.url);
  const attempt = (options) => runPage(kind, server.url, options, readable, print);
  try {
    for (const options of attempts(kind)) {
      const counts = await attempt(options);
      if (counts.adapter !== null) return counts;
    }
    if (kind === "firefox" && process.platform === "linux") {
      // Firefox has no software adapter; Mesa's driver is one.
      const installed = await aptInstall(["mesa-vulkan-drivers", "libvulkan1"]).then(
        () => true,
        () => false,
      );
      const counts = installed ? await attempt({}) : { adapter: null };
      if (counts.adapter !== null) return counts;
    }
    return { missing: remedies[kind] };
  } catch (error) {
    if (error instanceof NoBrowserError) return { missing: error.message };
    throw error;
  } finally {
    await server.close();
  }
}

/** Chromium is asked for its real adapter first, unless WEBGPU_ADAPTER insists on one or the other. */
function attempts(kind) {
  const wanted = process.env.WEBGPU_ADAPTER ?? "auto";
  if (kind === "firefox") return [{}];
  if (wanted === "hardware") return [{}];
  return wanted === "software" ? [{ software: true }] : [{}, { software: true }];
}
