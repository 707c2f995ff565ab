// What users install: dist/ as `npm test` has just built it.
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { build } from "../../scripts/build.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const dist = join(root, "dist");

describe("dist", () => {
  let sizes: Awaited<ReturnType<typeof build>>;
  beforeAll(async () => {
    sizes = await build();
  }, 60_000);

  it("exports the same names from the full entry point and from the one file, the core's among them", async () => {
    const load = (file: string) => import(/* @vite-ignore */ pathToFileURL(join(dist, file)).href) as Promise<object>;
    const modules = Object.keys(await load("full.js")).sort();
    expect(modules.length).toBeGreaterThan(0);
    expect(Object.keys(await load("webgpu-rnn.min.js")).sort()).toEqual(modules);
    expect(modules).toEqual(expect.arrayContaining(Object.keys(await load("index.js"))));
  });

  it("says where normalisation and the like are to be had, and has them once the full entry point is loaded", () => {
    const program = `
      const { LSTM } = await import(${JSON.stringify(pathToFileURL(join(dist, "index.js")).href)});
      new LSTM(2, 3, { normalization: "none", zoneout: 0, recurrentDropout: 0, projSize: 0 });
      try { new LSTM(2, 3, { normalization: "layer" }); } catch ({ message }) { console.log(message); }
      await import(${JSON.stringify(pathToFileURL(join(dist, "full.js")).href)});
      console.log(Object.keys(await new LSTM(2, 3, { normalization: "layer" }).stateDict()).includes("gain_c_l0"));`;
    const output = execFileSync(process.execPath, ["--input-type=module", "--eval", program], { encoding: "utf8" });
    expect(output).toBe('LSTM: normalization is part of "webgpu-rnn/full"; import LSTM from there\ntrue\n');
    const { sideEffects } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { sideEffects: string[] };
    expect(sideEffects).toContain("./dist/full.js");
  });

  it("keeps the WebGPU backend out of the entry, in a chunk of its own", () => {
    expect(readFileSync(join(dist, "index.js"), "utf8")).not.toContain("createComputePipeline");
    expect(readdirSync(join(dist, "chunks")).length).toBeGreaterThan(0);
  });

  it("is a core of at most 40 kB, gzipped; backends, calibration, verification and sampling come when they are needed", () => {
    expect(sizes.core).toBeLessThanOrEqual(40_000);
    expect(Object.keys(sizes.onDemand).sort()).toEqual(["cpu-backend", "measure", "sampling", "threads", "verification", "wasm-builds", "webgpu-backend"]);
  });

  it.each(["bundler", "nodenext"])("has declarations that a strict program can use (moduleResolution %s)", (moduleResolution) => {
    // Inside the repository, so that the program finds the package by its own name, as an installed one would.
    const folder = join(root, "build", `consumer-${moduleResolution}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "program.ts"), 'import * as rnn from "webgpu-rnn";\nexport const names: (keyof typeof rnn)[] = [];\n');
    const module = moduleResolution === "nodenext" ? "nodenext" : "esnext";
    const options = { strict: true, noEmit: true, skipLibCheck: false, target: "es2022", lib: ["es2023", "dom"], module, moduleResolution, types: ["@webgpu/types"] };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: options, files: ["program.ts"] }));
    const tsc = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin/tsc");
    try {
      execFileSync(process.execPath, [tsc, "-p", folder], { encoding: "utf8" });
    } catch (error) {
      expect.fail((error as { stdout: string }).stdout);
    }
  });
});
