// `npm run train` when something is wrong or breaks off: one readable line, no stack trace, and no half-written files.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { decodeSafetensors } from "webgpu-rnn/formats";
import { root } from "../../scripts/bundle.mjs";
import { checkOutput, writeOutput } from "../../scripts/files.ts";
import { nodeAdapter } from "../../scripts/vulkan.mjs";
import { buildProgram, Folder, program, start, text, tiny } from "../node/train-support.ts";

let folder: Folder;
beforeAll(buildProgram);
beforeEach(() => {
  folder = new Folder();
});
afterEach(() => folder.remove());

/** The program's message when it refuses; it must not have trained. */
async function refusal(...args: string[]): Promise<{ code: number | null; stderr: string }> {
  const { code, stdout, stderr } = await start([...tiny, ...args]);
  expect(stdout).not.toContain("step");
  expect(stderr).toMatch(/^train: [^\n]*\n$/);
  return { code, stderr };
}

describe("a text that cannot be used", () => {
  it.each([
    ["is missing", () => folder.at("missing.txt"), /^train: cannot read ".*missing\.txt": no such file or folder$/],
    ["is a folder", () => folder.path, /^train: cannot read ".*": it is a folder$/],
    ["lies below a file", () => folder.at("text.txt/x"), /^train: cannot read ".*": a part of its path is no folder$/],
    ["is empty", () => folder.write("empty.txt", ""), /^train: ".*empty\.txt" is empty$/],
    ["is only a byte order mark", () => folder.write("bom.txt", "\ufeff"), /^train: ".*bom\.txt" is empty$/],
    [
      "is not UTF-8",
      () => folder.write("latin1.txt", Uint8Array.of(0x66, 0xfc, 0x72)),
      /^train: ".*latin1\.txt" is not UTF-8 text; convert it first$/,
    ],
    [
      "is too short for one window",
      () => folder.write("short.txt", text.slice(0, 32)),
      /^train: the text has 32 characters, but --batch 4 and --length 8 need at least 33; use a longer text, or less of either$/,
    ],
  ])("%s", async (_, make, message) => {
    const { code, stderr } = await refusal(make());
    expect(stderr.trimEnd()).toMatch(message);
    expect(code).toBe(1);
  });

  it("leaves too little for validation", async () => {
    const { stderr } = await refusal(folder.at("text.txt"), "--validation", "0.01");
    expect(stderr).toMatch(
      /^train: the text has \d+ characters, of which --validation 0\.01 leaves a part of 31, but --batch 4 and --length 8 need at least 33/,
    );
  });

  it("lacks the prompt's characters", async () => {
    const { code, stderr } = await refusal(folder.at("text.txt"), "--prompt", "the ö");
    expect(stderr).toBe('train: --prompt: Vocabulary: "ö" at position 4 is not among the 20 known characters\n');
    expect(code).toBe(1);
  });
});

describe("an output that cannot be written", () => {
  it.each([
    ["in a folder that is missing", ["--out", "none/model"], /^train: --out ".*none\/model" cannot be written: no such file or folder$/, 1],
    ["that is a folder", ["--json", ""], /^train: --json ".*" must be a file, but is a folder$/, 1],
    ["below a file", ["--out", "text.txt/model"], /^train: --out ".*" cannot be written: a part of its path is no folder$/, 1],
    ["over the text", ["--out", "text.txt"], /^train: --out would overwrite the text, ".*text\.txt"$/, 2],
    ["over the text by another name", ["--json", "../{}/text.txt"], /^train: --json would overwrite the text, ".*text\.txt"$/, 2],
  ])("%s", async (_, [flag, path], message, expected) => {
    const { code, stderr } = await refusal(folder.at("text.txt"), flag, folder.at(path.replace("{}", folder.path.split("/").at(-1)!)));
    expect(stderr.trimEnd()).toMatch(message);
    expect(code).toBe(expected);
    expect(folder.read("text.txt").toString()).toBe(text);
    expect(readdirSync(folder.path)).toEqual(["text.txt"]);
  });

  it("twice", async () => {
    const { code, stderr } = await refusal(folder.at("text.txt"), "--out", folder.at("a"), "--json", folder.at("a"));
    expect(stderr).toMatch(/^train: --out and --json name the same file, ".*"\n$/);
    expect(code).toBe(2);
  });

  it("over the file that --resume reads", async () => {
    const { code, stderr } = await refusal(folder.at("text.txt"), "--resume", folder.at("model"), "--json", folder.at("model"));
    expect(stderr).toMatch(/^train: --json would overwrite the file of --resume, ".*model"\n$/);
    expect(code).toBe(2);
  });

  it("under a name that is too long", async () => {
    const { code, stderr } = await refusal(folder.at("text.txt"), "--out", folder.at("x".repeat(300)));
    expect(stderr).toMatch(/^train: --out ".*" cannot be written: the name is too long\n$/);
    expect(code).toBe(1);
  });

  it.skipIf(process.getuid?.() === 0)("for want of permission", async () => {
    mkdirSync(folder.at("locked"), { mode: 0o555 });
    const { stderr } = await refusal(folder.at("text.txt"), "--out", folder.at("locked/model"));
    expect(stderr).toMatch(/^train: --out ".*" cannot be written: permission denied\n$/);
  });

  it.skipIf(!existsSync("/dev/full"))("for want of space: the training is done, the error is said, the other file is written", async () => {
    const { code, stdout, stderr } = await start([
      folder.at("text.txt"),
      ...tiny,
      "--steps",
      "2",
      "--out",
      "/dev/full",
      "--json",
      folder.at("report.json"),
    ]);
    expect(stdout).toContain("step 2/2");
    expect(stderr).toMatch(/^train: --out "\/dev\/full" could not be written: no space left.*\n$/);
    expect(code).toBe(1);
    expect(folder.json("report.json")).toMatchObject({
      steps: 2,
      stopped: "failed",
      error: expect.stringContaining("no space left") as string,
    });
  });

  it("since a folder has taken its place: that stays, and nothing is left beside it", async () => {
    const output = await checkOutput("--out", folder.at("model"));
    mkdirSync(folder.at("model"));
    await expect(writeOutput(output, "new")).rejects.toThrow(
      /^--out ".*model" could not be written: .*; what was there before is unchanged$/,
    );
    expect(readdirSync(folder.path).sort()).toEqual(["model", "text.txt"]);
  });

  it("since its folder has gone", async () => {
    mkdirSync(folder.at("models"));
    const output = await checkOutput("--out", folder.at("models/model"));
    rmSync(folder.at("models"), { recursive: true });
    await expect(writeOutput(output, "new")).rejects.toThrow(/could not be written: no such file or folder/);
  });

  it.skipIf(process.platform === "win32")("whole: a full disk or a file that must not grow leaves the old one", async () => {
    folder.write("model.safetensors", "old");
    // The shell limits files to 4 blocks; what is written is longer.
    const limited = ["sh", "-c", `ulimit -f 4; exec "$0" "$@"`, process.execPath, program];
    const { code } = await start(
      [folder.at("text.txt"), ...tiny, "--hidden", "64", "--steps", "1", "--out", folder.at("model.safetensors")],
      { command: limited },
    );
    expect(code).not.toBe(0);
    expect(folder.read("model.safetensors").toString()).toBe("old");
  });
});

describe("a loss that is not finite", () => {
  it("ends the run with its step and loss, and keeps the last good parameters and the losses before", async () => {
    const args = [
      folder.at("text.txt"),
      ...tiny,
      "--optimizer",
      "sgd",
      "--lr",
      "1e37",
      "--clip",
      "0",
      "--out",
      folder.at("model.safetensors"),
      "--json",
      folder.at("report.json"),
    ];
    const { code, stdout, stderr } = await start(args);
    const report = folder.json("report.json");
    const { steps } = report;
    expect(stderr).toMatch(
      new RegExp(
        `^train: step ${steps + 1} gave loss (NaN|-?Infinity|[\\d.e+]+) with gradient norm \\S+; everything is as it was after step ${steps - 1}\\. Try a lower learning rate, or clipNorm\n$`,
      ),
    );
    expect(code).toBe(1);
    expect(report).toMatchObject({
      stopped: "failed",
      sample: "",
      error: expect.stringContaining(`step ${steps + 1} gave loss`) as string,
    });
    expect(report.losses).toHaveLength(steps);
    expect(report.losses.every(Number.isFinite)).toBe(true);
    expect(stdout).toContain("wrote ");
    const { tensors, metadata } = decodeSafetensors(folder.read("model.safetensors"));
    // The last step's outcome is what failed, so it is undone.
    expect(metadata.step).toBe(String(steps - 1));
    for (const { data } of Object.values(tensors)) expect(data.every(Number.isFinite)).toBe(true);
  });
});

describe("Ctrl-C", () => {
  const endless = ["--steps", "100000000", "--validation", "0.2"];

  it("stops after the present step, writes model and report, and the model continues as if nothing had happened", async () => {
    const run = start([
      folder.at("text.txt"),
      ...tiny,
      ...endless,
      "--out",
      folder.at("model.safetensors"),
      "--json",
      folder.at("report.json"),
    ]);
    await run.printed("step");
    run.child.kill("SIGINT");
    // npm hands the terminal's signal on, so that the program gets it twice.
    run.child.kill("SIGINT");
    const { code, stderr, stdout } = await run;
    expect(code).toBe(130);
    expect(stderr).toBe("\ntrain: stopping after this step; once more to end at once\n");
    expect(stdout).toContain("wrote ");
    const report = folder.json("report.json");
    expect(report).toMatchObject({
      stopped: "interrupted",
      sample: "",
      losses: expect.objectContaining({ length: report.steps }) as number[],
    });
    expect(report.validation).toBeUndefined();
    expect(decodeSafetensors(folder.read("model.safetensors")).metadata.step).toBe(String(report.steps));

    const more = ["--steps", "3", "--json", folder.at("more.json"), "--sample", "0", "--backend", "cpu"];
    expect((await start([folder.at("text.txt"), "--resume", folder.at("model.safetensors"), ...more])).code).toBe(0);
    const whole = ["--steps", String(report.steps + 3), "--validation", "0.2", "--json", folder.at("whole.json")];
    expect((await start([folder.at("text.txt"), ...tiny, ...whole])).code).toBe(0);
    expect([...report.losses, ...folder.json("more.json").losses]).toEqual(folder.json("whole.json").losses);
  });

  it.skipIf(process.platform === "win32")("a second time ends the program at once, even while it writes", async () => {
    // A pipe without a reader: writing to it never ends.
    execFileSync("mkfifo", [folder.at("pipe")]);
    const run = start([folder.at("text.txt"), ...tiny, ...endless, "--out", folder.at("pipe")]);
    await run.printed("step");
    run.child.kill("SIGINT");
    await sleep(1000);
    expect(run.child.exitCode).toBeNull();
    run.child.kill("SIGINT");
    expect((await run).signal).toBe("SIGINT");
  });

  it.skipIf(process.platform === "win32")("ends it likewise with SIGTERM", async () => {
    const run = start([folder.at("text.txt"), ...tiny, ...endless, "--out", folder.at("model.safetensors")]);
    await run.printed("step");
    run.child.kill("SIGTERM");
    expect((await run).code).toBe(130);
    expect(existsSync(folder.at("model.safetensors"))).toBe(true);
  });
});

describe("a program that is killed while it writes", () => {
  it("leaves a whole file: an older one or a newer", async () => {
    for (const delay of [0, 7, 33, 80]) {
      const run = start([
        folder.at("text.txt"),
        ...tiny,
        "--hidden",
        "100",
        "--steps",
        "1000000",
        "--save-every",
        "1",
        "--out",
        folder.at("model.safetensors"),
      ]);
      while (!existsSync(folder.at("model.safetensors"))) await sleep(5);
      await sleep(delay);
      run.child.kill("SIGKILL");
      expect((await run).signal).toBe("SIGKILL");
      expect(Number(decodeSafetensors(folder.read("model.safetensors")).metadata.step)).toBeGreaterThan(0);
    }
  });
});

describe.skipIf(process.platform === "win32")("without", () => {
  const shell = (redirection: string): string[] => ["sh", "-c", `"$0" "$@" ${redirection}`, process.execPath, program];

  it("standard input, it trains as ever", async () => {
    const { code, stderr } = await start([folder.at("text.txt"), ...tiny, "--steps", "1"], { command: shell("<&-") });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  });

  it("standard output, it trains as ever", async () => {
    await start([folder.at("text.txt"), ...tiny, "--steps", "1", "--json", folder.at("report.json")], { command: shell(">&- 2>&-") });
    expect(folder.json("report.json")).toMatchObject({ steps: 1, stopped: "done" });
  });

  it("a reader of its output, it stops and writes what it has", async () => {
    await start([folder.at("text.txt"), ...tiny, "--steps", "20000", "--json", folder.at("report.json")], {
      command: shell("| head -n 1"),
    });
    expect(folder.json("report.json")).toMatchObject({ stopped: "interrupted" });
  });
});

const { adapter, variables } = (await nodeAdapter()) as { adapter: object | null; variables: Record<string, string> };

describe.skipIf(adapter === null)("a device that is lost", () => {
  it("costs no step, is told in one line, and the sample and the report come from the next device", async () => {
    // Loaded before the program: the first device ends at its 20th submit.
    const loses = folder.write(
      "loses.mjs",
      `import { globals } from ${JSON.stringify(pathToFileURL(join(root, "node_modules/webgpu/index.js")).href)};
       const { GPUAdapter, GPUQueue } = globals;
       const { requestDevice } = GPUAdapter.prototype;
       const { submit } = GPUQueue.prototype;
       let device;
       let submits = 0;
       GPUAdapter.prototype.requestDevice = async function (options) {
         const made = await requestDevice.call(this, options);
         device ??= made;
         return made;
       };
       GPUQueue.prototype.submit = function (buffers) {
         submit.call(this, buffers);
         if (++submits === 20) device.destroy();
       };`,
    );
    const small = [
      folder.at("text.txt"),
      ...tiny.filter((one) => one !== "--backend" && one !== "cpu"),
      "--backend",
      "webgpu",
      "--cell",
      "rnn",
    ];
    const run = (command: string[], report: string): ReturnType<typeof start> =>
      start([...small, "--steps", "30", "--json", folder.at(report)], { env: variables, command: [process.execPath, ...command, program] });
    const { code, stdout, stderr } = await run(["--import", pathToFileURL(loses).href], "lost.json");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout.match(/^note .*$/gm)).toEqual([
      expect.stringMatching(/^note {5}the device was lost \(.*\); going on from a copy after step \d+, on .+$/),
    ]);
    await run([], "whole.json");
    const [lost, whole] = [folder.json("lost.json"), folder.json("whole.json")];
    expect(lost.losses).toEqual(whole.losses);
    expect(lost.sample).toBe(whole.sample);
    expect([lost.stopped, lost.adapter]).toEqual(["done", whole.adapter]);
  });
});
