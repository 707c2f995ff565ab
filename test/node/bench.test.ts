// The bench program: one tiny row from end to end, and the check that comes before the clock.
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createStream } from "webgpu-rnn";
import { allCases, caseName, cells, flopsOf, parseShape, type Case, type Shape } from "../../bench/cases.ts";
import { compare } from "../../bench/compare.ts";
import type { Library, Subject } from "../../bench/library.ts";
import { marks } from "../../bench/marks.ts";
import { sweepMilliseconds, Timed } from "../../bench/measure.ts";
import { streamModel } from "../../bench/models.ts";
import { ours } from "../../bench/ours.ts";
import { open as openPlain } from "../../bench/peers/plain.ts";
import { planFrom } from "../../bench/plan.ts";
import { checkSteps, Problems, type Outcome } from "../../bench/problem.ts";
import type { Report } from "../../bench/report.ts";
import { Collected } from "../../bench/results.ts";
import { runCases, type Event } from "../../bench/runner.ts";
import { subjectOfCalls, waysToRows } from "../../bench/streams.ts";
import { absences } from "../../bench/table.ts";
import { itThoroughly } from "../thorough.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const effort = { seconds: 0.02, most: 3, least: 2 };
const shape = parseShape("3x2x3x4");

/** Ours on the CPU, with subjects that `change` changes. */
async function changed(name: string, change: (subject: Subject) => Partial<Subject>): Promise<Library> {
  const right = await ours("cpu");
  return {
    ...right,
    name,
    async prepare(of, problem) {
      const subject = await right.prepare(of, problem);
      return { ...subject, ...change(subject) };
    },
  };
}

/** Ours on the CPU, whose results `change` spoils. */
const spoilt = (name: string, change: (outcome: Outcome) => void): Promise<Library> =>
  changed(name, (subject) => ({
    async check() {
      const outcome = await subject.check();
      change(outcome);
      return outcome;
    },
  }));

async function run(
  libraries: readonly Library[],
  mode: "forward" | "training" | "stream",
  of: Shape = shape,
): Promise<{ timed: string[]; refused: Record<string, string> }> {
  const events: Event[] = [];
  await runCases(
    { cases: allCases([of], { cells: ["lstm"], modes: [mode] }), effort },
    { libraries, ceilings: {}, report: (event) => void events.push(event) },
  );
  return {
    timed: events.flatMap((event) => (event.kind === "row" && event.final ? [event.row.library] : [])),
    refused: Object.fromEntries(
      events.flatMap((event) => (event.kind === "absent" ? [[event.absence.library, event.absence.reason]] : [])),
    ),
  };
}

/** What the program prints and writes. */
async function program(...options: string[]): Promise<{ stdout: string; report: Report }> {
  const folder = mkdtempSync(join(tmpdir(), "bench-"));
  try {
    const file = join(folder, "out.json");
    const args = ["bench/run.mjs", "--browser", "node", "--seconds", "0.02", "--json", file, ...options];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root });
    return { stdout, report: JSON.parse(readFileSync(file, "utf8")) as Report };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe("npm run bench", () => {
  itThoroughly("measures a row and writes a report with every field", async () => {
    const { stdout, report } = await program("--shape", "3x2x3x4", "--only", "cpu lstm .* (forward|training)");
    expect(report.browser).toBe(`Node ${process.version}`);
    expect(report.machine).toMatch(/, \d+ cores$/);
    expect(report.note).not.toBe("");
    expect(Number.isNaN(Date.parse(report.date))).toBe(false);
    expect(report.rows.map(({ mode }) => mode)).toEqual(["forward", "training"]);
    for (const row of report.rows) {
      expect(row).toMatchObject({
        library: "webgpu-rnn",
        backend: "cpu",
        cell: "lstm",
        steps: 3,
        batch: 2,
        input: 3,
        hidden: 4,
        submits: 1,
      });
      expect(row.dispatches).toBeGreaterThan(0);
      expect(row.min_ms).toBeLessThanOrEqual(row.median_ms);
      expect(row.median_ms).toBeLessThanOrEqual(row.max_ms);
      expect(row.gflops).toBeGreaterThan(0);
      expect(row.of_matmul).toBeGreaterThan(0);
      expect(row.us_per_step).toBeGreaterThan(0);
      expect(row.worst_error).toBeLessThan(1e-4);
      expect(row.checked_steps).toBe(3);
    }
    expect(stdout).toContain(report.adapter);
  });

  itThoroughly("measures layers that are large enough on two threads", async () => {
    const [large, small] = ["8x32x64x128", "3x2x3x4"];
    const { report } = await program("--shape", large, "--shape", small, "--only", "cpu 2 threads lstm .* (forward|training)");
    expect(report.rows.map((row) => [row.backend, caseName(row)])).toEqual([
      ["cpu 2 threads", `lstm ${large} forward`],
      ["cpu 2 threads", `lstm ${large} training`],
    ]);
    expect(report.rows[0].adapter).toMatch(/, 2 threads$/);
    expect(report.absent.filter(({ kind }) => kind === "skipped").map((one) => one.case)).toEqual(
      ["forward", "training"].map((mode) => `lstm ${small} ${mode}`),
    );
  });

  itThoroughly("measures streams beside onnxruntime-web, a plain loop and the floor", async () => {
    const shapes = ["1x3x4x5", "4x1x1x6", "1x1x3x3x2"];
    const { stdout, report } = await program(
      ...["--mode", "stream", "--cell", "gru", "--only", "^(webgpu-rnn cpu|onnx|plain|floor)"],
      ...shapes.flatMap((one) => ["--shape", one]),
    );
    const measured = (of: string): string[] =>
      report.rows.filter((row) => caseName(row) === `gru ${of} stream`).map(({ library, backend }) => `${library} ${backend}`);
    const all = ["webgpu-rnn cpu", "onnxruntime-web wasm", "plain loop js", "floor wasm"];
    expect(measured(shapes[0])).toEqual([all[0], "webgpu-rnn cpu stepRows", "webgpu-rnn cpu batcher", ...all.slice(1)]);
    expect(measured(shapes[1])).toEqual(all);
    expect(measured(shapes[2])).toEqual(all);
    for (const row of report.rows) {
      expect(row.median_ms).toBeGreaterThan(0);
      expect(row.worst_error).toBeLessThan(1e-4);
    }
    expect(stdout).toMatch(/stream +gru +1x3x4x5 +webgpu-rnn +cpu +[\d.]+ µs /);
  });

  it("refuses, in words, what it does not know", async () => {
    const failing = promisify(execFile)(process.execPath, ["bench/run.mjs", "--browser", "lynx"], { cwd: root });
    await expect(failing).rejects.toThrow('"lynx" is none of chromium, firefox, node');
  });
});

describe("samples of several libraries", () => {
  it("begin when what the ones before have left is collected", async () => {
    const runs: { name: string; from: number; to: number }[] = [];
    const noted = (name: string): Promise<Library> =>
      changed(name, (subject) => ({
        async run(times) {
          const from = performance.now();
          await subject.run(times);
          runs.push({ name, from, to: performance.now() });
        },
      }));
    await run(await Promise.all([noted("one"), noted("another")]), "training");
    const gaps = runs.slice(1).flatMap((later, i) => (later.name === runs[i].name ? [] : [later.from - runs[i].to]));
    // The first change is for the second library's check.
    expect(gaps.length).toBeGreaterThan(2);
    for (const gap of gaps.slice(1)) expect(gap).toBeGreaterThan(0.9 * sweepMilliseconds);
  });
});

describe("the check before the clock", () => {
  it("times what matches the twin and refuses what does not, saying where", async () => {
    const libraries = await Promise.all([
      ours("cpu"),
      spoilt("a gradient off by a thousandth", (o) => void (o["gradient weight_hh_l0"] = o["gradient weight_hh_l0"].map((g) => 1.001 * g))),
      spoilt("swapped gates", (o) => void o["gradient bias_ih_l0"].reverse()),
      spoilt("not a number", (o) => void (o["updated weight_ih_l0"][0] = NaN)),
      spoilt("no update", (o) => {
        delete o["updated weight_hh_l0"];
      }),
      spoilt("no gradient", (o) => void o["gradient weight_ih_l0"].fill(0)),
    ]);
    const { timed, refused } = await run(libraries, "training");
    expect(timed).toEqual(["webgpu-rnn"]);
    expect(Object.keys(refused)).toEqual(libraries.slice(1).map(({ name }) => name));
    expect(refused["a gradient off by a thousandth"]).toMatch(/^differs from the twin: gradient weight_hh_l0\[\d+\] is .*, the twin has /);
    expect(refused["no update"]).toBe("differs from the twin: gives no updated weight_hh_l0");
  });

  it("refuses a forward pass of the wrong shape, and one that fails", async () => {
    const short = await spoilt("short", (o) => void (o.output = o.output.slice(1)));
    const failing: Library = { ...short, name: "failing", prepare: () => Promise.reject(new Error("no such op")) };
    expect(await run([short, failing], "forward")).toEqual({
      timed: [],
      refused: { short: "differs from the twin: output has 23 numbers instead of 24", failing: "failed while it was checked: no such op" },
    });
  });

  it("refuses a stream that forgets its states, or mixes up its rows", async () => {
    const several = parseShape("1x3x4x5");
    const right = await ours("cpu");
    const forgetful: Library = {
      ...right,
      name: "forgetful",
      async prepare(of, problem) {
        const stream = await createStream(streamModel(of), { batch: of.batch });
        const call = (frames: Float32Array): Float32Array => {
          stream.reset();
          return stream.step(frames);
        };
        return { ...subjectOfCalls(call, problem), free: () => stream.dispose() };
      },
    };
    const mixing: Library = {
      ...forgetful,
      name: "mixing",
      async prepare(of, problem) {
        const stream = await createStream(streamModel(of), { batch: of.batch });
        let calls = 0;
        const call = (frames: Float32Array): Float32Array => stream.stepRows(calls++ % 2 ? [1, 0, 2] : [0, 1, 2], frames);
        return { ...subjectOfCalls(call, problem), free: () => stream.dispose() };
      },
    };
    const { timed, refused } = await run([right, ...waysToRows("CPU"), forgetful, mixing], "stream", several);
    expect(timed).toEqual(["webgpu-rnn", "webgpu-rnn", "webgpu-rnn"]);
    for (const name of ["forgetful", "mixing"]) expect(refused[name]).toMatch(/^differs from the twin: output\[\d+\]/);
  });

  it.each(cells.filter((cell) => cell !== "gru-reset-before"))(
    "finds the plain loop of a %s right, in layers and for sound",
    async (cell) => {
      const [plain] = await openPlain();
      const problems = new Problems();
      for (const name of ["1x1x3x4", "3x2x3x4", "1x1x3x3x3", "5x1x1x4"]) {
        const of: Case = { ...parseShape(name), cell, mode: "stream" };
        const { timed } = await problems.of(of);
        expect(compare(await (await plain.prepare(of, timed)).check(), timed.expected).problem, name).toBeUndefined();
      }
    },
  );

  it("holds small numbers to the scale of their array, not to 1", () => {
    const tiny = Float32Array.of(1e-7, 2e-7, -1e-7);
    expect(compare({ g: Float32Array.of(1e-7, 2.001e-7, -1e-7) }, { g: tiny }).problem).toContain("g[1]");
    expect(compare({ g: tiny }, { g: tiny })).toEqual({ worst: 0, problem: undefined });
  });
});

describe("a run", () => {
  const plan = { cases: allCases([shape], { cells: ["lstm"], modes: ["forward"] }), effort };

  /** Ours on the CPU, which `run` lets fail. */
  async function failing(name: string, run: (times: number) => Promise<void>): Promise<Library> {
    const right = await ours("cpu");
    return { ...right, name, prepare: async (of, problem) => ({ ...(await right.prepare(of, problem)), run }) };
  }

  it("tells of each library's row before the next library is checked, and again with more samples", async () => {
    const heard: string[] = [];
    const libraries = [await ours("cpu"), { ...(await ours("cpu")), name: "other" }];
    await runCases(plan, {
      libraries,
      ceilings: {},
      report: (event) =>
        void heard.push(
          event.kind === "row" ? `${event.row.library} ${event.row.samples}` : event.kind === "progress" ? event.text : event.kind,
        ),
    });
    const places = [
      "case",
      "checking webgpu-rnn cpu (1 of 2)",
      "webgpu-rnn 1",
      "checking other cpu (2 of 2)",
      "other 1",
      "webgpu-rnn 2",
      "other 2",
    ].map((text) => heard.indexOf(text));
    expect(places).not.toContain(-1);
    expect(places).toEqual([...places].sort((a, b) => a - b));
  });

  it("goes on without a library that fails while it is timed, at once or later, and says so", async () => {
    let measured = false;
    const later = await failing("later", async () => {
      // The first run, those that warm up, the first sample; then the device is lost.
      if (measured) throw new Error("device lost");
    });
    const events: Event[] = [];
    await runCases(plan, {
      libraries: [await failing("at once", () => Promise.reject(new Error("out of memory"))), later, await ours("cpu")],
      ceilings: {},
      report: (event) => {
        events.push(event);
        measured ||= event.kind === "row" && event.row.library === "later";
      },
    });
    expect(measured).toBe(true);
    const collected = new Collected();
    for (const event of events) collected.take(event);
    expect(collected.rows.map(({ library }) => library)).toEqual(["webgpu-rnn"]);
    expect(absences(collected.absent)).toEqual([
      "at once on cpu, lstm 3x2x3x4 forward: refused, it failed while it was timed: out of memory",
      "later on cpu, lstm 3x2x3x4 forward: refused, it failed while it was timed: device lost",
    ]);
  });

  it("frees what it has prepared, whenever it is stopped", async () => {
    for (let moment = 0; moment < 8; moment++) {
      const right = await ours("cpu");
      let [prepared, freed, heard] = [0, 0, 0];
      const counting: Library = {
        ...right,
        async prepare(of, problem) {
          const subject = await right.prepare(of, problem);
          prepared++;
          return { ...subject, free: () => (freed++, subject.free()) };
        },
      };
      const control = new AbortController();
      const run = runCases(plan, {
        libraries: [counting, { ...counting, name: "other" }],
        ceilings: {},
        signal: control.signal,
        report: () => {
          if (heard++ === moment) control.abort();
        },
      });
      await expect(run, `stopped at event ${moment}`).rejects.toThrow("stopped");
      expect(freed, `stopped at event ${moment}`).toBe(prepared);
    }
  });

  it("never says that nothing is left while there is, nor more than it guessed where all goes fast", async () => {
    const left: number[] = [];
    await runCases(
      { ...plan, cases: allCases([shape], { cells: ["lstm", "gru"], modes: ["forward"] }) },
      {
        libraries: [await ours("cpu")],
        ceilings: {},
        report: (event) => {
          if (event.kind === "progress") left.push(event.left);
        },
      },
    );
    expect(Math.min(...left)).toBeGreaterThanOrEqual(0);
    expect(left[0]).toBeGreaterThan(2);
    expect(Math.max(...left)).toBe(left[0]);
    expect(left.at(-1)).toBeLessThan(0.5);
  });

  it("says what was left out in a line for each library and reason", () => {
    const absence = { library: "gpu.js", kind: "skipped", reason: "only an LSTM" } as const;
    const cases = ["gru 1", "rnn 1", "gru 2"].flatMap((of) => ["webgpu", "wasm"].map((backend) => ({ ...absence, backend, case: of })));
    expect(absences([...cases, { library: "tfjs", backend: "", case: "", kind: "skipped", reason: "it is not installed" }])).toEqual([
      "gpu.js on webgpu and wasm, 3 cases: only an LSTM",
      "tfjs: it is not installed",
    ]);
  });
});

describe("a sample", () => {
  afterEach(() => void vi.restoreAllMocks());

  it.each([
    [0.0005, 1, 0],
    [0.002, 0.1, 0],
    [0.075, 1, 0],
    [0.3, 0.005, 0],
    [20, 1, 0],
    [0.002, 0.1, 20],
    [0.0005, 1, 200],
  ])("of runs of %d ms lasts long enough for a clock in steps of %d ms, even after a pause of %d ms", async (each, step, pause) => {
    let now = 0;
    vi.spyOn(performance, "now").mockImplementation(() => Math.floor(now / step) * step);
    const runs: number[] = [];
    const subject = {
      check: () => Promise.resolve({}),
      run(times: number) {
        now += times * each + (times === 5 ? pause : 0);
        runs.push(times);
        return Promise.resolve();
      },
      counters: { dispatches: 0, submits: 0 },
      free: () => undefined,
    };
    const timed = await Timed.start(subject, () => Promise.resolve());
    expect(runs.at(-1)! * each).toBeGreaterThan(pause ? 28 : 50);
    expect(runs.at(-1)! * each).toBeLessThan(pause ? 125 : 70);
    expect(timed.samples[0]).toBeGreaterThan(0.95 * each);
    expect(timed.samples[0]).toBeLessThan(1.05 * each);
  });
});

describe("the axis of the chart", () => {
  it.each([
    [0.3, 20, [0.5, 1, 2, 5, 10, 20]],
    [0.7, 400, [1, 10, 100]],
    [3.1, 3.4, []],
    [0.001, 0.02, [0.001, 0.002, 0.005, 0.01, 0.02]],
  ] as const)("from %d to %d has marks that are numbers", (low, high, wanted) => {
    expect(marks([low, high])).toEqual(wanted);
  });
});

describe("cases", () => {
  it("are checked whole, or by their first steps where the twins would take minutes", () => {
    const { steps, ...rest } = { steps: 512, batch: 64, input: 1024, hidden: 1024, cell: "lstm", mode: "training" } as const;
    expect(checkSteps({ steps, ...rest })).toBe(3);
    expect(checkSteps({ steps: 64, batch: 32, input: 64, hidden: 128, cell: "lstm", mode: "training" })).toBe(64);
  });

  it("count the products of a layer by hand", () => {
    // 64 steps of a batch of 32: x·Wᵀ and h·Uᵀ forward; dG·U, dGᵀ·x and dGᵀ·h backward.
    const lstm = { steps: 64, batch: 32, input: 64, hidden: 128, cell: "lstm" } as const;
    expect(flopsOf({ ...lstm, mode: "forward" })).toBe(64 * 32 * 2 * (64 * 512 + 128 * 512));
    expect(flopsOf({ ...lstm, mode: "training" })).toBe(64 * 32 * 2 * (2 * 64 * 512 + 3 * 128 * 512));
  });

  it("count the products of a stream's call by hand", () => {
    const stream = (name: string, cell: "lstm" | "gru"): number => flopsOf({ ...parseShape(name), cell, mode: "stream" });
    expect(stream("1x64x128x128", "lstm")).toBe(64 * 2 * 2 * 128 * 512);
    expect(stream("1x1x64x128x3", "gru")).toBe(2 * (64 + 5 * 128) * 384);
    // 128 samples of sound, with a linear layer of one number.
    expect(stream("128x1x1x32", "lstm")).toBe(128 * 2 * (33 * 128 + 32));
  });

  it("of streams are single frames, quanta of sound and many users", () => {
    expect(planFrom({ modes: ["stream"] }).cases.map(caseName)).toEqual(
      [
        ...[16, 64, 128, 256].map((H) => `lstm 1x1x${H}x${H}`),
        "gru 1x1x128x128x3",
        ...[32, 64, 128].map((H) => `lstm 128x1x1x${H}`),
        "lstm 1x64x128x128",
      ].map((name) => `${name} stream`),
    );
    expect(planFrom({ modes: ["stream"], cells: ["gru"] }).cases).toHaveLength(1);
    expect(planFrom({}).cases.filter(({ mode }) => mode === "stream")).toHaveLength(9);
  });

  it("have several layers in streams only", () => {
    expect(planFrom({ modes: ["stream"], shapes: ["1x1x8x8x2"], cells: ["lstm"] }).cases[0].layers).toBe(2);
    expect(() => planFrom({ shapes: ["1x1x8x8x2"] })).toThrow("several layers are measured in the mode stream only");
    expect(() => planFrom({ shapes: ["1x1x8x8x2"], modes: ["stream", "forward"] })).toThrow("in the mode stream only");
  });

  it("refuse shapes that are none", () => {
    expect(() => parseShape("64x32x64")).toThrow("is no shape");
    expect(() => parseShape("64x32x64x0")).toThrow("is no shape");
  });
});
