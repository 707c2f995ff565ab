// The packed package in every place where apps run: bundlers, pages, workers, worklets, Node, Jest, Deno.
import { cp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser } from "puppeteer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchBrowser } from "../../scripts/browsers.mjs";
import { serve } from "../../scripts/serve.mjs";
import { apps, classicPage, files, type Result } from "./app.ts";
import { buildApp, bundlerNames } from "./build-app.ts";
import { compile, compilers, knowsWebGpu, programs } from "./declarations.ts";
import { fileOf, installTools, makeProject, npm, pack, run, tool, tools, writeFiles, type Ran } from "./packed.ts";
import { visit } from "./visit.ts";

let tarball: string;
let project: string;
/** Node's results; all others are compared with them. */
let expected: Result;
const open: { close(): Promise<unknown> }[] = [];

const node = (...args: string[]): Promise<Ran> => run(project, process.execPath, args);

function resultOf({ code, text, stdout }: Ran): Result {
  if (code !== 0) throw new Error(text);
  return JSON.parse(stdout) as Result;
}

/** The same numbers but for the order of sums: engines differ in fused multiply-add, and JavaScript from WebAssembly. */
function expectSame(result: Result): void {
  expect(result.message).toBe(expected.message);
  expect(result.title).toBe(expected.title);
  expect(result.name).toBe("Sequential");
  for (const name of ["losses", "output"] as const) {
    expect(result[name]).toHaveLength(expected[name].length);
    result[name].forEach((value, i) => expect(value, `${name}[${i}]`).toBeCloseTo(expected[name][i], 4));
  }
}

beforeAll(async () => {
  [tarball] = await Promise.all([pack(), installTools()]);
  project = await makeProject(tarball, { ...files, ...apps, ...programs });
  expected = resultOf(await node("app.mjs"));
});

afterAll(async () => {
  await Promise.all(open.map((one) => one.close()));
  if (project) await rm(project, { recursive: true, force: true });
});

describe("in Node", () => {
  it("trains, and says what is wrong in words", () => {
    expect(expected.losses.at(-1)).toBeLessThan(expected.losses[0]);
    expect(expected.message).toMatch(/^RnnError: LSTM: /);
    expect(expected.title).toBe("pløt 😀");
  });

  it.each(["app.cjs", "threads.mjs", "threads.cjs"])("computes the same in %s", async (file) => {
    const result = resultOf(await node(file));
    expectSame(result);
    expect(result.adapter).toMatch(file.startsWith("threads") ? /WASM SIMD.*2 threads/ : /WASM SIMD/);
  });

  it.each(["threads.mjs", "threads.cjs"])("computes the same in %s given by -e and by standard input", async (file) => {
    const type = file.endsWith(".mjs") ? ["--input-type=module"] : [];
    expectSame(resultOf(await node(...type, "-e", files[file as "threads.mjs"])));
    expectSame(resultOf(await run(project, process.execPath, type, { input: files[file as "threads.mjs"] })));
  });

  it("gives import and require the same classes", async () => {
    const { stdout } = await node(
      "-e",
      'const a = require("webgpu-rnn"), b = require("webgpu-rnn/language"); Promise.all([import("webgpu-rnn"), import("webgpu-rnn/static"), import("webgpu-rnn/language")]).then(([core, all, c]) => console.log([core, all].every((one) => one.LSTM === a.LSTM), [all, c].every((one) => one.Seq2Seq === b.Seq2Seq), new b.Attention(2, 2) instanceof core.Module))',
    );
    expect(stdout).toBe("true true true\n");
  });

  it("has its manifest and its single files where programs ask for them", async () => {
    const { stdout } = await node(
      "-p",
      '["package.json", "webgpu-rnn.min.js", "classic.min.js"].map((file) => require.resolve("webgpu-rnn/" + file)).length + require("webgpu-rnn/package.json").version',
    );
    expect(stdout).toMatch(/^3\d+\.\d+\.\d+/);
  });

  it.each(["node", "jsdom"])("runs in Jest with the environment %s", async (environment) => {
    const file = join(project, `jest-${environment}.json`);
    const path = environment === "node" ? "node" : join(tools, "node_modules/jest-environment-jsdom");
    const { code, text } = await run(
      project,
      process.execPath,
      [tool("jest"), "--rootDir", project, "--env", path, "--testTimeout", "600000", "--no-watchman"],
      { env: { RESULT: file } },
    );
    expect(code, text).toBe(0);
    const result = JSON.parse(await readFile(file, "utf8")) as Result;
    expectSame(result);
    expect(result.adapter).toMatch(/WASM SIMD/);
  });

  it("runs in Deno", async () => {
    await writeFile(join(project, "deno.json"), '{ "nodeModulesDir": "manual" }');
    const result = resultOf(
      await run(project, tool("deno"), ["run", "--allow-all", "--no-lock", "threads.mjs"], {
        env: { DENO_DIR: join(project, ".deno"), DENO_NO_UPDATE_CHECK: "1" },
      }),
    );
    expectSame(result);
    expect(result.adapter).toMatch(/WASM SIMD.*2 threads/);
  });
});

describe("as others see it", () => {
  it("satisfies publint", async () => {
    const { code, text } = await node(tool("publint"), tarball, "--strict");
    expect(code, text).toBe(0);
    expect(text).toMatch(/All good/);
  });

  it("has the types that it says (arethetypeswrong)", async () => {
    const { code, text } = await node(
      tool("@arethetypeswrong/cli", "attw"),
      tarball,
      "--no-emoji",
      "--exclude-entrypoints",
      "webgpu-rnn.min.js",
      "classic.min.js",
    );
    expect(code, text).toBe(0);
  });
});

describe("declarations", () => {
  it.each(compilers)(
    "compile in strict programs with TypeScript %s (moduleResolution %s), with and without the types of WebGPU",
    async (version, resolution) => {
      const compiled = await Promise.all(
        (knowsWebGpu(version) ? [false] : [false, true]).map((types) => compile(project, version, resolution, types)),
      );
      for (const { code, text } of compiled) expect(code, text).toBe(0);
    },
  );
});

/** The browsers' message if there is no hardware adapter. */
const aboutAdapters = /powerPreference|WebGPU|GPU/i;

/** Serves a folder until the end, without a policy of its own: some of the pages have scripts inside. */
async function served(folder: string): Promise<string> {
  const server = await serve(folder, { policy: null });
  open.push(server);
  return server.url;
}

describe.each(["chromium", "firefox"] as const)("in %s", (kind) => {
  let browser: Browser;
  beforeAll(async () => {
    browser = (await launchBrowser(kind, { software: true })) as Browser;
    open.push(browser);
  });

  /** Opens an app's page with the backend it chooses itself, and in Chromium, which always has an adapter, on WebGPU too. */
  async function expectSameOn(url: string, { webgpu = kind === "chromium" } = {}): Promise<void> {
    const { result, complaints } = await visit(browser, url);
    expect(complaints.filter((line) => !aboutAdapters.test(line))).toEqual([]);
    expectSame(result);
    expect(result.adapter).toMatch(/WASM SIMD/);
    if (webgpu) {
      const onDevice = await visit(browser, `${url}?kind=webgpu`);
      expect(onDevice.complaints.filter((line) => !aboutAdapters.test(line))).toEqual([]);
      expectSame(onDevice.result);
      expect(onDevice.result.adapter).not.toMatch(/CPU|WASM/);
    }
  }

  const scripts = kind === "chromium" ? ["main", "entries"] : ["main"];
  it.each(bundlerNames.flatMap((bundler) => scripts.map((script) => [bundler, script])))(
    "runs what %s makes of %s.js, built without a word of complaint",
    async (bundler, script) => {
      await expectSameOn(await served(await buildApp(bundler, project, script, `${script}.js`)));
    },
  );

  // Parcel loses modules that two files of a worker share, if the worker loads them by import(): it gets the entry without.
  it.each([
    ["vite", "worker"],
    ["webpack", "worker"],
    ["parcel", "static-worker"],
  ])("runs in a module worker that %s builds of %s.js", async (bundler, worker) => {
    await expectSameOn(await served(await buildApp(bundler, project, worker, `with-${worker}.js`)));
  });

  it("runs as a classic script on file://", async () => {
    const folder = join(project, `classic-${kind}`);
    await writeFiles(folder, { "classic.min.js": await fileOf(project, "dist/classic.min.js"), "index.html": classicPage });
    await expectSameOn(pathToFileURL(join(folder, "index.html")).href, { webgpu: false });
  });

  it.each([
    ["'self'", /plain JavaScript \(WebAssembly cannot be compiled here: /],
    ["'self' 'wasm-unsafe-eval'", /WASM SIMD/],
  ])("obeys the policy script-src %s", async (policy, adapter) => {
    const folder = join(project, `policy-${kind}-${policy.length}`);
    await cp(await buildApp("esbuild", project, "main", "main.js"), folder, { recursive: true });
    const page = await readFile(join(folder, "index.html"), "utf8");
    await writeFile(
      join(folder, "index.html"),
      page.replace("<title>", `<meta http-equiv="Content-Security-Policy" content="script-src ${policy}"><title>`),
    );
    const url = await served(folder);
    const { result } = await visit(browser, `${url}?kind=cpu`);
    expectSame(result);
    expect(result.adapter).toMatch(adapter);
    if (kind === "chromium") expectSame((await visit(browser, `${url}?kind=webgpu`)).result);
  });

  it.runIf(kind === "chromium")("runs in a service worker", async () => {
    // Each address is an origin of its own: a service worker outlives the page that it answers.
    const folder = await buildApp("esbuild", project, "service", "service.js");
    await expectSameOn(await served(folder), { webgpu: false });
    const { result } = await visit(browser, `${await served(folder)}?kind=webgpu`);
    expectSame(result);
    expect(result.adapter).not.toMatch(/CPU|WASM/);
  });

  it("runs in an AudioWorklet", async () => {
    await expectSameOn(await served(await buildApp("esbuild", project, "worklet", "worklet.js")), { webgpu: false });
  });
});

it("takes no more than its own name from npm", async () => {
  expect(Object.keys((JSON.parse(await npm(project, "ls", "--json", "--all")) as { dependencies: object }).dependencies)).toEqual([
    "webgpu-rnn",
  ]);
});
