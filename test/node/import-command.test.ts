// `npm run import`, end to end, as a separate process: each file is the first one that it reads.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createBackend, forward, GRU, saveModel, type Tensor } from "webgpu-rnn";
import { decodeSafetensors, importModel } from "webgpu-rnn/formats";
import { bundleProgram, root } from "../../scripts/bundle.mjs";
import { readModel } from "../../scripts/import/read-model.ts";
import { compareResults, resultsOf, sampleInputs, tryModel } from "../../scripts/import/trial.ts";
import { itThoroughly, sampled } from "../thorough.ts";

const program = join(root, "build", "tests", "import.mjs");
const models = join(root, "test/fixtures/models");
const folder = mkdtempSync(join(tmpdir(), "import-"));
beforeAll(() => bundleProgram("scripts/import/import.ts", program));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function start(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [program, ...args], { cwd: models, stdio: ["ignore", "pipe", "pipe"] });
  const texts = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) child[name].on("data", (chunk) => void (texts[name] += String(chunk)));
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, ...texts })));
}

describe("npm run import", () => {
  it("lists layers, inputs and parameters, compares both backends and writes the weights", async () => {
    const out = join(folder, "model.safetensors");
    const { code, stdout, stderr } = await start("simplernn_dense.keras", "--out", out);
    // A graphics driver may write there too.
    expect({ code, problem: /^import: .*/m.exec(stderr) }).toEqual({ code: 0, problem: null });
    expect(stdout).toContain("format keras, 62 parameters");
    expect(stdout).toMatch(/simple_rnn +SimpleRNN +RNN\(4, 5\), last output +50\n +dense +Dense +Linear\(5, 2\) +12\n/);
    expect(stdout).toMatch(/input .+ \[any, 6, 4\] +input\n/);
    expect(stdout).toMatch(/both agree: 7 numbers, greatest difference \d\.\de[+-]\d/);
    const { model } = await importModel(readFileSync(join(models, "simplernn_dense.keras")));
    const { tensors } = decodeSafetensors(readFileSync(out));
    for (const [name, { shape, data }] of Object.entries(await model.stateDict()))
      expect({ name, shape: tensors[name].shape, data: [...tensors[name].data] }).toEqual({ name, shape, data: [...data] });
  });

  itThoroughly("writes an ONNX graph that computes the same, where the layers are known and ONNX has them", async () => {
    const description = join(folder, "layers.json");
    const layers = { embedding: ["Embedding", 11, 5], rnn: ["GRU", 5, 8, { numLayers: 2 }], fc: ["Linear", 8, 11] };
    const parts = Object.entries(layers).map(([name, [kind, ...of]]) => [name, { "@": kind, of }] as const);
    writeFileSync(description, JSON.stringify({ "@": "Sequential", of: [Object.fromEntries(parts)] }));
    const out = join(folder, "model.onnx");
    const normalized = join(folder, "normalized.safetensors");
    writeFileSync(normalized, await saveModel(new GRU(2, 3, { normalization: "batch", normalizedSteps: 1, seed: 1 })));
    const [written, refused, bare, graph] = await Promise.all([
      start("gru_legacy_pickle.pt", description, "--out", out),
      start(normalized, "--out", join(folder, "refused.onnx")),
      start("gru_legacy_pickle.pt", "--out", join(folder, "bare.onnx")),
      start("lstm_charlm.onnx", "--out", join(folder, "again.onnx")),
    ]);
    expect({ code: written.code, problem: /^import: .*/m.exec(written.stderr) }).toEqual({ code: 0, problem: null });
    const files = { "layers.json": readFileSync(description), "weights.pt": readFileSync(join(models, "gru_legacy_pickle.pt")) };
    const backend = await createBackend("cpu");
    const runs = [await readModel(files), await importModel(readFileSync(out))].map(async ({ model }) => {
      const { output } = await forward(model, { shape: [4, 1], data: Uint32Array.of(3, 7, 10, 3) }, { backend });
      return [{ name: "output", tensor: output }];
    });
    const [one, other] = await Promise.all(runs);
    expect(compareResults(one, other)).toMatchObject({ agrees: true, count: 44 });

    expect({ code: graph.code, problem: /^import: .*/m.exec(graph.stderr) }).toEqual({ code: 0, problem: null });
    const again = await importModel(readFileSync(join(folder, "again.onnx")));
    expect(again.inputs).toEqual((await importModel(readFileSync(join(models, "lstm_charlm.onnx")))).inputs);
    expect(refused.stderr).toMatch(/^import: exportOnnx: the model \(GRU\): normalization: "batch" is not written$/m);
    expect(bare.stderr).toMatch(/^import: an ONNX file has the layers too; give a description of them beside the weights$/m);
    expect([refused.code, bare.code, existsSync(join(folder, "refused.onnx")), existsSync(join(folder, "bare.onnx"))]).toEqual([
      1,
      1,
      false,
      false,
    ]);
  });

  // In a process where nothing else has loaded the code that their layers need.
  it.each(sampled(["gru_weights_as_inputs.onnx", "lstm_bi_lens_states.onnx", "amp.nam", "plugin.json", "characters"], 1))(
    "runs %s in a process that has read nothing before",
    async (name) => {
      const { code, stdout, stderr } = await start(name);
      expect({ code, problem: /^import: .*/m.exec(stderr) }).toEqual({ code: 0, problem: null });
      expect(stdout).toContain("both agree");
    },
  );

  it("lists the tensors of a file that holds weights alone, and says what is missing to run them", async () => {
    const { code, stdout } = await start("gru_legacy_pickle.pt");
    expect(code).toBe(0);
    expect(stdout).toMatch(/rnn\.weight_hh_l1 +\[24, 8\] +192\n/);
    expect(stdout).toContain("importModel(file, { model })");
  });

  it("says in one line what cannot be read, and what is wrong with the command", async () => {
    const damaged = join(folder, "damaged.onnx");
    writeFileSync(damaged, readFileSync(join(models, "lstm_charlm.onnx")).subarray(0, 3000));
    const cases: [string[], number, RegExp][] = [
      [[damaged], 1, /^import: .*damaged/],
      [["nowhere.onnx"], 1, /^import: cannot read "nowhere.onnx": no such file or folder/],
      [[], 2, /FILE is missing/],
      [["amp.nam", "--outt=x"], 2, /unknown option --outt; did you mean --out\?/],
      [["amp.nam", "--constant=sr"], 2, /--constant must be a name and a number, such as sr=16000/],
      [["amp.nam", "--out=amp.nam"], 2, /would overwrite the model/],
    ];
    const ended = await Promise.all(cases.map(([args]) => start(...args)));
    ended.forEach(({ code, stderr }, i) => {
      expect(stderr).toMatch(cases[i][2]);
      expect(stderr.trimEnd().split("\n")).toHaveLength(1);
      expect(code, stderr).toBe(cases[i][1]);
    });
  });
});

describe("the trial of a model", () => {
  const shared = join(root, "../shared/models/silero/silero_vad_16k_op15.onnx");

  it.skipIf(!existsSync(shared))("finds sizes that a model takes where its file leaves them open", async () => {
    const imported = await importModel(readFileSync(shared), { constants: { sr: 16000 } });
    const backend = await createBackend("cpu");
    const { inputs, outputs } = await tryModel(imported, backend);
    expect(inputs.state!.state).toMatchObject({ shape: [2, 1, 128] });
    expect(resultsOf(imported, outputs).map(({ name, tensor: { shape } }) => [name, shape])).toEqual([
      ["output", [1, 1]],
      ["stateN", [2, 1, 128]],
    ]);
  });

  it("takes a sequence of one row, in the model's order of axes, and lengths of all steps", async () => {
    const imported = await importModel(readFileSync(join(models, "lstm_charlm.onnx")));
    expect(sampleInputs(imported, 5).input).toMatchObject({ shape: [1, 5] });
    const weights = await importModel(readFileSync(join(models, "lstm_bi_lens_states.onnx")));
    const { input, further } = sampleInputs(weights, 9) as { input: Tensor; further: Record<string, Tensor> };
    const lengths = Object.values(further).find(({ shape }) => shape.length === 1)!;
    expect(lengths.data[0]).toBe(input.shape[0]);
  });

  it("finds two runs different where one number is outside of the tolerance, or is none", () => {
    const run = (...data: number[]) => [{ name: "y", tensor: { shape: [data.length], data: Float32Array.from(data) } }];
    expect(compareResults(run(1, 2), run(1, 2.0001))).toMatchObject({ agrees: true, where: "y", count: 2 });
    expect(compareResults(run(1, 2), run(1, 2.001)).agrees).toBe(false);
    expect(compareResults(run(1, NaN), run(1, 2)).agrees).toBe(false);
    expect(compareResults(run(1), run(1, 2)).agrees).toBe(false);
    expect(compareResults(run(NaN, Infinity), run(NaN, Infinity)).agrees).toBe(true);
  });
});
