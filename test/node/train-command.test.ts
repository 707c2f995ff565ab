// `npm run train`, end to end, as a separate process.
import { existsSync, mkdirSync, readdirSync, symlinkSync, lstatSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createBackend, Embedding, generate, GRU, Linear, Sequential, Vocabulary } from "webgpu-rnn";
import { decodeSafetensors } from "webgpu-rnn/formats";
import { root } from "../../scripts/bundle.mjs";
import { nodeAdapter } from "../../scripts/vulkan.mjs";
import { buildProgram, Folder, start, text, tiny } from "./train-support.ts";
import { itThoroughly, sampled } from "../thorough.ts";

let folder: Folder;
beforeAll(buildProgram);
beforeEach(() => {
  folder = new Folder();
});
afterEach(() => folder.remove());

/** Trains on the small text, with a report. */
async function train(...args: string[]): Promise<ReturnType<Folder["json"]>> {
  const { code, stderr } = await start([folder.at("text.txt"), ...tiny, "--json", folder.at("report.json"), ...args]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return folder.json("report.json");
}

const mean = (values: number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;

describe("a run", () => {
  it("learns, reports every step, and prints lines and a sample", async () => {
    const { code, stdout, stderr } = await start([
      folder.at("text.txt"),
      ...tiny,
      "--steps",
      "60",
      "--lr=0.02",
      "--json",
      folder.at("report.json"),
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const report = folder.json("report.json");
    const size = new Set(text).size;
    expect(report).toMatchObject({
      text: folder.at("text.txt"),
      characters: text.length,
      vocabulary: size,
      backend: "cpu",
      reason: "asked for",
      firstStep: 0,
      steps: 60,
      stopped: "done",
      prompt: "t",
      parameters: size * 6 + 4 * 10 * (6 + 10 + 2) + size * 11,
      options: { cell: "lstm", hidden: 10, layers: 1, optimizer: "adam", lr: 0.02, clip: 5, seed: 1, temperature: 0.8 },
    });
    expect(report.adapter).toMatch(/^CPU/);
    expect(report.losses).toHaveLength(60);
    expect(report.losses[0]).toBeCloseTo(Math.log(size), 0);
    expect(report.finalLoss).toBeLessThan(report.losses[0] - 0.5);
    expect(report.finalLoss).toBeCloseTo(mean(report.losses.slice(-20)), 6);
    expect(report.seconds).toBeGreaterThan(0);
    expect(report.tokensPerSecond).toBeCloseTo((60 * 4 * 8) / report.seconds, 3);
    expect(report.sample).toHaveLength(20);
    expect(stdout).toContain("step  1/60  loss ");
    expect(stdout).toContain("step 60/60  loss ");
    expect(stdout).toContain(`t${report.sample}\n`);
    expect(stdout).not.toContain("\u001b");
  });

  itThoroughly("repeats bit for bit under one seed, and differs under another", async () => {
    const args = ["--steps", "4", "--dropout", "0.3", "--layers", "2"];
    const first = await train(...args);
    expect((await train(...args)).losses).toEqual(first.losses);
    expect((await train(...args, "--seed", "2")).losses).not.toEqual(first.losses);
  });

  it.each(
    sampled(
      [
        "--cell rnn --optimizer sgd --lr 0.5 --clip 0",
        "--cell gru --optimizer rmsprop",
        "--cell gru --reset before --layers 2 --optimizer adamw",
        "--cell lstm --layers 3 --dropout 0.1 --validation 0.2",
      ],
      1,
    ),
  )("trains with %s", async (args) => {
    const { losses } = await train(...args.split(" "), "--steps", "30");
    expect(mean(losses.slice(-5))).toBeLessThan(losses[0]);
  });

  itThoroughly("measures the model on the part of the text that --validation keeps", async () => {
    const { validation } = await train("--steps", "10", "--validation", "0.25");
    expect(validation!.loss).toBeGreaterThan(1);
    expect(validation!.bitsPerCharacter).toBeCloseTo(validation!.loss / Math.LN2, 6);
  });

  itThoroughly("goes on from --prompt, with --sample characters, the likeliest at temperature 0", async () => {
    const one = await train("--steps", "2", "--prompt", "the wh", "--sample", "33", "--temperature", "0");
    expect(one).toMatchObject({ prompt: "the wh" });
    expect(one.sample).toHaveLength(33);
    expect((await train("--steps", "2", "--prompt", "the wh", "--sample", "33", "--temperature", "0")).sample).toBe(one.sample);
    expect((await train("--steps", "2", "--sample", "0")).sample).toBe("");
  });

  it("reads a text in any script, and does not let it steer the terminal", async () => {
    const line = "Чёрный кит 🐋 鯨 \u001b[31m\r\n";
    const unicode = folder.write("unicode.txt", `\ufeff${line.repeat(60)}`);
    const { code, stdout } = await start([
      unicode,
      ...tiny,
      "--steps",
      "1",
      "--prompt",
      "\u001b[31m🐋",
      "--json",
      folder.at("report.json"),
    ]);
    expect(code).toBe(0);
    expect(folder.json("report.json")).toMatchObject({ characters: Array.from(line).length * 60, vocabulary: new Set(line).size });
    expect(stdout).toContain("\ufffd[31m🐋");
    expect(stdout).not.toContain("\u001b");
  });

  itThoroughly("without FILE trains on Moby Dick", async () => {
    const { code, stdout } = await start([...tiny, "--steps", "1", "--json", folder.at("report.json")]);
    expect(code).toBe(0);
    expect(folder.json("report.json")).toMatchObject({ text: "Moby Dick (bundled)", vocabulary: 81 });
    expect(stdout).toContain("Moby Dick");
  });
});

describe("the model file", () => {
  it("holds the parameters under the names that PyTorch gives an `embedding`, an `rnn` and a `linear`", async () => {
    await train("--steps", "3", "--layers", "2", "--dropout", "0.2", "--out", folder.at("model.safetensors"));
    const { tensors } = decodeSafetensors(folder.read("model.safetensors"));
    const shapes = Object.fromEntries(
      Object.entries(tensors)
        .filter(([name]) => !/^(optimizer|carried)\./.test(name))
        .map(([name, { shape }]) => [name, shape]),
    );
    const size = new Set(text).size;
    expect(shapes).toEqual({
      "embedding.weight": [size, 6],
      "rnn.weight_ih_l0": [40, 6],
      "rnn.weight_hh_l0": [40, 10],
      "rnn.bias_ih_l0": [40],
      "rnn.bias_hh_l0": [40],
      "rnn.weight_ih_l1": [40, 10],
      "rnn.weight_hh_l1": [40, 10],
      "rnn.bias_ih_l1": [40],
      "rnn.bias_hh_l1": [40],
      "linear.weight": [size, 10],
      "linear.bias": [size],
    });
  });

  itThoroughly("is enough to draw the same sample elsewhere", async () => {
    const { sample } = await train("--steps", "5", "--cell", "gru", "--reset", "before", "--out", folder.at("model.safetensors"));
    const { tensors, metadata } = decodeSafetensors(folder.read("model.safetensors"));
    const vocabulary = new Vocabulary(Array.from(metadata.vocabulary));
    const { embedding, hidden, reset } = JSON.parse(metadata.options) as { embedding: number; hidden: number; reset: "before" };
    const model = new Sequential({
      embedding: new Embedding(vocabulary.size, embedding),
      rnn: new GRU(embedding, hidden, { reset }),
      linear: new Linear(hidden, vocabulary.size),
    });
    model.loadStateDict(Object.fromEntries(Object.entries(tensors).filter(([name]) => !/^(optimizer|carried)\./.test(name))));
    expect(
      await generate(model, { backend: await createBackend("cpu"), vocabulary, prompt: "t", length: 20, temperature: 0.8, seed: 1 }),
    ).toBe(sample);
  });

  it("replaces an older one, through a link too, and leaves nothing beside it", async () => {
    mkdirSync(folder.at("models"));
    folder.write("models/real.safetensors", "old");
    symlinkSync("models/real.safetensors", folder.at("link.safetensors"));
    await train("--steps", "1", "--out", folder.at("link.safetensors"));
    expect(lstatSync(folder.at("link.safetensors")).isSymbolicLink()).toBe(true);
    expect(Object.keys(decodeSafetensors(folder.read("models/real.safetensors")).tensors)).toContain("linear.bias");
    expect(readdirSync(folder.at("models"))).toEqual(["real.safetensors"]);
    expect(readdirSync(folder.path).sort()).toEqual(["link.safetensors", "models", "report.json", "text.txt"]);
  });
});

describe("--resume", () => {
  const some = ["--layers", "2", "--dropout", "0.25", "--cell", "gru", "--optimizer", "rmsprop"];

  it("goes on bit for bit: the same losses and in the end the same file", async () => {
    const whole = await train(...some, "--steps", "130", "--out", folder.at("whole.safetensors"));
    const first = await train(...some, "--steps", "97", "--out", folder.at("part.safetensors"));
    // Model, optimiser and windows come from the file.
    const second = await train("--resume", folder.at("part.safetensors"), "--steps", "33", "--out", folder.at("part.safetensors"));
    expect(second).toMatchObject({ firstStep: 97, steps: 33, options: { cell: "gru", layers: 2, optimizer: "rmsprop" } });
    expect([...first.losses, ...second.losses]).toEqual(whole.losses);
    expect(second.sample).toBe(whole.sample);
    expect(folder.read("part.safetensors").equals(folder.read("whole.safetensors"))).toBe(true);
  });

  itThoroughly("with --steps 0 only draws a sample", async () => {
    const { sample } = await train("--steps", "3", "--out", folder.at("model.safetensors"));
    expect(await train("--resume", folder.at("model.safetensors"), "--steps", "0")).toMatchObject({
      sample,
      losses: [],
      finalLoss: null,
      tokensPerSecond: null,
    });
  });

  describe("refuses", () => {
    const refusal = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await start([folder.at("text.txt"), "--backend", "cpu", ...args]);
      expect(code).toBeGreaterThan(0);
      expect(stdout).not.toContain("step");
      return stderr;
    };

    const others = [
      ["--hidden", "11", "10"],
      ["--embedding", "7", "6"],
      ["--layers", "2", "1"],
      ["--cell", "rnn", "lstm"],
      ["--batch", "5", "4"],
      ["--length", "9", "8"],
      ["--optimizer", "sgd", "adam"],
      ["--seed", "9", "1"],
      ["--validation", "0.1", "0"],
    ] as const;
    it.each(sampled(others, 1))("another %s", async (flag, now, then) => {
      await train("--steps", "1", "--out", folder.at("model.safetensors"));
      expect(await refusal("--resume", folder.at("model.safetensors"), flag, now)).toBe(
        `train: ${flag} ${now}: the run that --resume goes on with has ${flag} ${then} (npm run train -- --help lists all flags)\n`,
      );
    });

    itThoroughly("a text with other characters, but takes one with the same, with a note", async () => {
      await train("--steps", "1", "--out", folder.at("model.safetensors"));
      folder.write("text.txt", text.toUpperCase());
      expect(await refusal("--resume", folder.at("model.safetensors"))).toBe(
        'train: Vocabulary: "T" at position 0 is not among the 20 known characters\n',
      );
      folder.write("text.txt", text.slice(7));
      const { stdout } = await start([
        folder.at("text.txt"),
        "--backend",
        "cpu",
        "--resume",
        folder.at("model.safetensors"),
        "--steps",
        "1",
        "--sample",
        "0",
      ]);
      expect(stdout).toContain("this is not the text that the resumed run has read so far");
    });

    itThoroughly("files that are missing, truncated, foreign or from elsewhere", async () => {
      await train("--steps", "1", "--out", folder.at("model.safetensors"));
      const whole = folder.read("model.safetensors");
      expect(await refusal("--resume", folder.at("none"))).toMatch(/^train: cannot read --resume ".*none": no such file or folder\n$/);
      folder.write("cut", whole.subarray(0, whole.length - 100));
      expect(await refusal("--resume", folder.at("cut"))).toMatch(
        /^train: --resume ".*cut": safetensors: the file is truncated: "carried\.rnn\.\w" ends at byte \d+ of the data, which has \d+\n$/,
      );
      expect(await refusal("--resume", folder.at("text.txt"))).toMatch(
        /^train: --resume ".*text\.txt": safetensors: this is no safetensors file.*\n$/,
      );
      const foreign = join(root, "test/fixtures/pytorch-files/lstm_charlm.safetensors");
      expect(await refusal("--resume", foreign)).toMatch(
        /^train: --resume ".*": its metadata lacks options; only a file from --out can be resumed\n$/,
      );
    });
  });
});

// test/long/train-mishaps.test.ts tries the many other ways to go wrong.
describe("a mishap", () => {
  it("an output that cannot be written is refused in one line before anything is trained or written", async () => {
    for (const [flag, path] of [
      ["--out", "none/model"],
      ["--json", ""],
    ]) {
      const { code, stdout, stderr } = await start([folder.at("text.txt"), ...tiny, flag, folder.at(path)]);
      expect(stderr).toMatch(new RegExp(`^train: ${flag} ".*" (cannot be written|must be a file)[^\n]*\n$`));
      expect(stdout).not.toContain("step");
      expect(code).toBe(1);
    }
    expect(readdirSync(folder.path)).toEqual(["text.txt"]);
  });

  itThoroughly.skipIf(!existsSync("/dev/full"))("an output that turns out to be full is told, and the other one is written", async () => {
    const outputs = ["--out", "/dev/full", "--json", folder.at("report.json")];
    const { code, stderr } = await start([folder.at("text.txt"), ...tiny, "--steps", "2", ...outputs]);
    expect(stderr).toMatch(/^train: --out "\/dev\/full" could not be written: no space left[^\n]*\n$/);
    expect(code).toBe(1);
    expect(folder.json("report.json")).toMatchObject({ steps: 2, stopped: "failed" });
  });

  it("Ctrl-C ends it after the present step, and model and report are those of that step", async () => {
    const outputs = ["--out", folder.at("model.safetensors"), "--json", folder.at("report.json")];
    const run = start([folder.at("text.txt"), ...tiny, "--steps", "100000000", ...outputs]);
    await run.printed("step");
    run.child.kill("SIGINT");
    const { code, stderr } = await run;
    expect(code).toBe(130);
    expect(stderr).toBe("\ntrain: stopping after this step; once more to end at once\n");
    const { steps, losses, stopped } = folder.json("report.json");
    expect(stopped).toBe("interrupted");
    expect(losses).toHaveLength(steps);
    expect(losses.every(Number.isFinite)).toBe(true);
    expect(decodeSafetensors(folder.read("model.safetensors")).metadata.step).toBe(String(steps));
  });
});

describe("WebGPU", () => {
  const viaRunner = [process.execPath, join(root, "scripts/run-ts.mjs"), "scripts/train/train.ts"];

  itThoroughly("trains there as on the CPU, to within rounding", async ({ skip }) => {
    const { adapter, reason } = (await nodeAdapter()) as { adapter: object | null; reason: string };
    if (adapter === null && !process.env.CI) skip(reason);
    const { code, stderr } = await start(
      [
        folder.at("text.txt"),
        ...tiny,
        "--steps",
        "6",
        "--backend",
        "webgpu",
        "--out",
        folder.at("gpu.safetensors"),
        "--json",
        folder.at("gpu.json"),
      ],
      { command: viaRunner },
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const gpu = folder.json("gpu.json");
    const cpu = await train("--steps", "6");
    expect(gpu).toMatchObject({ backend: "webgpu", reason: "asked for" });
    for (const [i, loss] of cpu.losses.entries()) expect(gpu.losses[i]).toBeCloseTo(loss, 4);
    expect(gpu.sample).toHaveLength(20);
    expect(decodeSafetensors(folder.read("gpu.safetensors")).metadata.step).toBe("6");
  });

  it("is an error when demanded where there is none, and the CPU with a reason otherwise", async () => {
    const env = { VK_ICD_FILENAMES: folder.at("no-driver.json"), VK_DRIVER_FILES: folder.at("no-driver.json") };
    const demanded = await start([folder.at("text.txt"), ...tiny, "--backend", "webgpu"], { env });
    expect(demanded).toMatchObject({ code: 1, stdout: "" });
    expect(demanded.stderr).toMatch(/^(?!.*\n {4}at )[^]*train: WebGPU: no adapter/);
    await start([folder.at("text.txt"), ...tiny, "--backend", "auto", "--steps", "1", "--json", folder.at("report.json")], { env });
    expect(folder.json("report.json")).toMatchObject({ backend: "cpu", reason: expect.stringContaining("no adapter") as string });
  });
});

describe("npm run train", () => {
  // npm's own notices would be mistaken for the program's.
  const npm = ["npm", "--prefix", root, "run", "--silent", "train", "--"];
  const env = { npm_config_update_notifier: "false" };

  it("takes paths as those of the folder that it is called in", async () => {
    const { code, stdout } = await start(["text.txt", ...tiny, "--steps=1", "--out=model.safetensors"], {
      command: npm,
      cwd: folder.path,
      env,
    });
    expect(stdout).toContain("wrote    model.safetensors");
    expect(code).toBe(0);
    expect(existsSync(folder.at("model.safetensors"))).toBe(true);
  });

  itThoroughly("passes on the exit code", async () => {
    expect((await start(["--hiden", "3"], { command: npm, cwd: folder.path, env })).code).toBe(2);
  });
});
