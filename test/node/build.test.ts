// The package that users install: dist/ as `npm test` has just built it.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { runInNewContext } from "node:vm";
import * as esbuild from "esbuild";
import { describe, expect, it } from "vitest";
import type * as rnn from "webgpu-rnn/static";
import type * as streams from "webgpu-rnn/stream";
import { sizes, streamLimit, tasks } from "../../scripts/sizes.mjs";
import { sampled } from "../thorough.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const dist = join(root, "dist");

const load = (file: string) => import(/* @vite-ignore */ pathToFileURL(join(dist, file)).href) as Promise<object>;
const filesOf = (folder: string, ending: string) =>
  readdirSync(join(dist, folder), { recursive: true })
    .map(String)
    .filter((name) => name.endsWith(ending))
    .map((name) => join(dist, folder, name));

let measuring: ReturnType<typeof sizes> | undefined;
const measured = () => (measuring ??= sizes());

describe("dist", () => {
  it("exports the same names from every file that holds everything, the core's among them", async () => {
    const names = Object.keys(await load("esm/all.js")).sort();
    expect(names).toEqual(expect.arrayContaining(Object.keys(await load("esm/index.js"))));
    for (const file of ["static.js", "webgpu-rnn.min.js", "node/all.mjs"])
      expect(Object.keys(await load(file)).sort(), file).toEqual(names);
    const require = createRequire(import.meta.url);
    for (const entry of ["index", "formats", "inspect", "language", "ops"]) {
      const list = Object.keys(await load(`esm/${entry}.js`)).sort();
      expect(list.length, entry).toBeGreaterThan(3);
      expect(Object.keys(await load(`node/${entry}.mjs`)).sort(), entry).toEqual(list);
      expect(Object.keys(require(join(dist, `node/${entry}.js`)) as object).sort(), entry).toEqual(list);
    }
    expect(Object.keys(require(join(dist, "static.cjs")) as object).sort()).toEqual(names);
    const { webgpuRnn } = runInNewContext(`${readFileSync(join(dist, "classic.min.js"), "utf8")};({ webgpuRnn })`) as { webgpuRnn: object };
    expect(Object.keys(webgpuRnn).sort()).toEqual(names);
  });

  it("has every option of its layers in the core, which loading everything else does not change", () => {
    const program = `
      const core = await import(${JSON.stringify(pathToFileURL(join(dist, "esm/index.js")).href)});
      const layers = () => [new core.LSTM(2, 4, { normalization: "layer" }), new core.LSTM(2, 4, { projSize: 2 }), new core.GRU(2, 4, { zoneout: 0.1, recurrentDropout: 0.1 })];
      const before = (await Promise.all(layers().map((layer) => layer.stateDict()))).map((state) => Object.keys(state).join());
      await import(${JSON.stringify(pathToFileURL(join(dist, "esm/all.js")).href)});
      const after = (await Promise.all(layers().map((layer) => layer.stateDict()))).map((state) => Object.keys(state).join());
      console.log(JSON.stringify(before) === JSON.stringify(after), before[0].includes("gain_c_l0"), before[1].includes("weight_hr_l0"));`;
    const output = execFileSync(process.execPath, ["--input-type=module", "--eval", program], { encoding: "utf8" });
    expect(output).toBe("true true true\n");
    const { sideEffects } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { sideEffects: string[] };
    expect(sideEffects.filter((file) => file.includes("esm"))).toEqual([]);
  });

  it("shows bundlers no module of Node's, and no import() where there may be none", () => {
    const node = /["'`]node:(?!internal)|worker_threads|import\([^)]*webgpu["']\)|#(host|thread)|\brequire\(|getBuiltinModule/;
    const forBrowsers = [
      ...filesOf("esm", ".js"),
      ...["static.js", "static.cjs", "webgpu-rnn.min.js", "classic.min.js"].map((file) => join(dist, file)),
    ];
    expect(forBrowsers.length).toBeGreaterThan(100);
    for (const file of forBrowsers) expect(readFileSync(file, "utf8"), file).not.toMatch(node);
    for (const file of ["static.js", "static.cjs", "webgpu-rnn.min.js", "classic.min.js"])
      expect(readFileSync(join(dist, file), "utf8"), file).not.toMatch(/\bimport\s*\(/);
  });

  it("has no modules that import each other in a circle, of which Rollup complains", () => {
    const imports = new Map(
      filesOf("esm", ".js").map((file) => {
        const found = readFileSync(file, "utf8").matchAll(/^(?:import|export)\b[^";]*"(\.[^"]+)";$/gm);
        return [file, [...found].map(([, path]) => join(dirname(file), path))];
      }),
    );
    const finished = new Set<string>();
    const follow = (file: string, from: readonly string[]): void => {
      if (from.includes(file)) throw new Error([...from.slice(from.indexOf(file)), file].join(" -> "));
      if (finished.has(file)) return;
      for (const next of imports.get(file)!) follow(next, [...from, file]);
      finished.add(file);
    };
    for (const file of imports.keys()) follow(file, []);
    expect([...imports.values()].flat().length).toBeGreaterThan(500);
  });

  it("has short lines and classes' names, so that an error shows where it was thrown and what a model is", () => {
    for (const file of [...filesOf("esm", ".js"), join(dist, "node/webgpu-rnn.js"), join(dist, "static.js")]) {
      const longest = Math.max(
        ...readFileSync(file, "utf8")
          .split("\n")
          .map((line) => line.length),
      );
      expect(longest, file).toBeLessThan(600);
    }
    const program = `const { LSTM } = require(${JSON.stringify(join(dist, "node/index.js"))}); console.log(new LSTM(1, 2)); new LSTM(3, {});`;
    const { status, stdout, stderr } = spawnSync(process.execPath, ["--eval", program], { encoding: "utf8" });
    expect(status).toBe(1);
    expect(stdout).toMatch(/^LSTM \{/);
    expect(stderr).toMatch(/^RnnError: LSTM: hiddenSize/m);
    expect(stderr.length).toBeLessThan(3000);
  });

  it("keeps its classes' names when an app's build renames them, and in the minified files", async () => {
    const program = `import { LSTM, Sequential, RnnError } from ${JSON.stringify(join(dist, "esm/index.js"))}; globalThis.named = [LSTM, Sequential, RnnError].map(({ name }) => name).join();`;
    const {
      outputFiles: [{ text }],
    } = await esbuild.build({ stdin: { contents: program, resolveDir: root }, bundle: true, format: "iife", minify: true, write: false });
    expect(text).not.toMatch(/class LSTM|class Sequential/);
    expect(runInNewContext(`${text};named`)).toBe("LSTM,Sequential,RnnError");
    const { LSTM } = (await load("webgpu-rnn.min.js")) as { LSTM: new (...sizes: number[]) => object };
    expect(() => new LSTM(0, 0)).toThrow(
      expect.objectContaining({ stack: expect.stringMatching(/^RnnError.*\n[^]*new LSTM/) as string }) as object,
    );
  });

  it("loads without Node's globals, and names no global that worklets lack without asking for it first", async () => {
    const names = Object.getOwnPropertyNames(globalThis).filter(
      (name) => typeof (globalThis as Record<string, unknown>)[name] === "function",
    );
    expect(names).toContain("atob");
    const bare = runInNewContext(`${readFileSync(join(dist, "classic.min.js"), "utf8")};webgpuRnn`) as typeof rnn;
    const backend = await bare.createBackend();
    expect(backend.adapter).toMatch(/^CPU, WASM SIMD/);
    const { output } = await bare.forward(new bare.LSTM(2, 3, { seed: 1 }), bare.tensor([[[1, 2]], [[3, 4]]]), { backend });
    expect(output.shape.join()).toBe("2,1,3");
    const data = bare.TextData.from("hello worklet ".repeat(20), { batch: 2, steps: 5 });
    const model = new bare.Sequential(
      [new bare.Embedding(data.vocabulary.size, 4), new bare.GRU(4, 8), new bare.Linear(8, data.vocabulary.size)],
      { seed: 1 },
    );
    const trainer = new bare.Trainer(model, { backend, data, loss: bare.crossEntropy(), optimizer: bare.sgd({ learningRate: 0.1 }) });
    const losses: number[] = [];
    for await (const { loss } of trainer.run({ steps: 12 })) losses.push(loss);
    expect(losses.at(-1)).toBeLessThan(losses[0]);
    expect(bare.decodeSafetensors(await trainer.checkpoint({ title: "déjà vu 😀" })).metadata.title).toBe("déjà vu 😀");
  });

  it("has streams in one module without import(), which runs where there are no globals", async () => {
    for (const file of ["stream.js", "stream.cjs"]) expect(readFileSync(join(dist, file), "utf8"), file).not.toMatch(/\bimport\s*\(|node:/);
    expect((await measured()).stream).toBeLessThanOrEqual(streamLimit);
    const { LSTM, saveStream, createStream } = (await load("esm/index.js")) as typeof rnn;
    const model = new LSTM(2, 3, { seed: 1 });
    const bare = runInNewContext(`const module = {}; ${readFileSync(join(dist, "stream.cjs"), "utf8")}; module.exports`) as typeof streams;
    const stream = await bare.createStream(await saveStream(model), { module: await bare.compile() });
    const expected = await createStream(model);
    for (let i = 0; i < 3; i++) expect([...stream.step([i, 1])]).toEqual([...expected.step([i, 1])]);
    expect(Object.keys(await load("stream.js")).sort()).toEqual(Object.keys(bare).sort());
  });

  it.each(Object.entries(tasks))("loads little for %s", async (name, { limit }) => {
    expect((await measured()).tasks[name].bytes).toBeLessThanOrEqual(limit);
  });

  it("says in README.md what a page loads (else: node scripts/sizes.mjs --write)", async () => {
    const written = [...readFileSync(join(root, "README.md"), "utf8").matchAll(/\| (.*) \| ([\d.]+) kB \|/g)].map(
      ([, name, size]) => [name, Number(size)] as const,
    );
    expect(written.map(([name]) => name)).toEqual(Object.keys(tasks));
    const found = (await measured()).tasks;
    for (const [name, size] of written) expect(Math.abs(size - found[name].bytes / 1000), name).toBeLessThan(4);
  });

  it("leaves out what a program does not import", async () => {
    const { tasks: found } = await measured();
    const [running, training] = Object.values(found).map(({ modules }) => modules.map((path) => path.replace("dist/esm/", "")));
    for (const path of ["train/trainer.js", "losses/loss.js", "optim/optimizer.js", "io/safetensors.js", "webgpu.js", "nn/embedding.js"])
      expect(running).not.toContain(path);
    for (const path of ["derivatives.js", "steps.js", "backend/cpu/fast-steps.js"]) expect(running).not.toContain(path);
    // What batchFirst needs.
    for (const modules of [running, training]) expect(modules).not.toContain("operations.js");
    for (const path of ["cpu.js", "backend/cpu/wasm-builds/running.js", "verify/verify.js", "session/calibrate.js"])
      expect(training).not.toContain(path);
    // A trainer runs recordings of its own; and most models need no further shaders, nor the lists of them.
    for (const path of ["session/run.js", "session/results.js", "shaders/groups.js"]) expect(training).not.toContain(path);
    for (const modules of [running, training]) expect(modules).not.toContain("session/gradients.js");
    // What only a measured device needs.
    expect(training).not.toContain("recurrent/strategies/measured.js");
    // Checkpoints, a device that replaces a lost one, and the memory that a step will take.
    for (const name of ["restore", "write-snapshot", "replacement", "planned-step"]) expect(training).not.toContain(`train/${name}.js`);
    expect(running).toEqual(expect.arrayContaining(["core.js", "cpu.js", "backend/cpu/wasm-builds/running.js"]));
    expect(training).toEqual(expect.arrayContaining(["core.js", "webgpu.js", "derivatives.js", "train/trainer.js"]));
  });

  it("lets a bundler drop what a program does not use from the modules that are merged", async () => {
    const program = `import { LSTM } from ${JSON.stringify(join(dist, "esm/index.js"))}; console.log(LSTM);`;
    const {
      outputFiles: [{ text }],
    } = await esbuild.build({ stdin: { contents: program, resolveDir: root }, bundle: true, format: "esm", write: false });
    expect(text).toContain('"LSTM"');
    for (const name of ['"GRU"', '"SLSTM"', "createBackend", "Session"]) expect(text).not.toContain(name);
  });

  it.each(sampled(["bundler", "nodenext"], 1))(
    "has declarations that a strict program can use (moduleResolution %s)",
    (moduleResolution) => {
      // Inside the repository, so that the program finds the package by its own name, as an installed one would.
      const folder = join(root, "build", `consumer-${moduleResolution}`);
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, "program.ts"), 'import * as rnn from "webgpu-rnn";\nexport const names: (keyof typeof rnn)[] = [];\n');
      const module = moduleResolution === "nodenext" ? "nodenext" : "esnext";
      const options = {
        strict: true,
        noEmit: true,
        skipLibCheck: false,
        target: "es2022",
        lib: ["es2023", "dom"],
        module,
        moduleResolution,
        types: ["@webgpu/types"],
      };
      writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: options, files: ["program.ts"] }));
      const tsc = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin/tsc");
      try {
        execFileSync(process.execPath, [tsc, "-p", folder], { encoding: "utf8" });
      } catch (error) {
        expect.fail((error as { stdout: string }).stdout);
      }
    },
  );
});
