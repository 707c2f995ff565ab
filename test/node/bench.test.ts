// The bench program: one tiny row from end to end, and the check that comes before the clock.
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { allCases, flopsOf, parseShape } from "../../bench/cases.ts";
import { compare } from "../../bench/compare.ts";
import type { Library } from "../../bench/library.ts";
import { ours } from "../../bench/ours.ts";
import { checkSteps, type Outcome } from "../../bench/problem.ts";
import type { Report } from "../../bench/report.ts";
import { runCases, type Event } from "../../bench/runner.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const effort = { seconds: 0.02, most: 3, least: 2 };
const shape = parseShape("3x2x3x4");

/** Ours on the CPU, whose results `change` spoils. */
async function spoilt(name: string, change: (outcome: Outcome) => void): Promise<Library> {
  const right = await ours("cpu");
  return {
    ...right, name,
    async prepare(of, problem) {
      const subject = await right.prepare(of, problem);
      return {
        ...subject,
        async check() {
          const outcome = await subject.check();
          change(outcome);
          return outcome;
        },
      };
    },
  };
}

async function run(libraries: readonly Library[], mode: "forward" | "training"): Promise<{ timed: string[]; refused: Record<string, string> }> {
  const events: Event[] = [];
  await runCases({ cases: allCases([shape], { cells: ["lstm"], modes: [mode] }), effort }, { libraries, ceilings: {}, report: (event) => void events.push(event) });
  return {
    timed: events.flatMap((event) => (event.kind === "row" ? [event.row.library] : [])),
    refused: Object.fromEntries(events.flatMap((event) => (event.kind === "absent" ? [[event.absence.library, event.absence.reason]] : []))),
  };
}

describe("npm run bench", () => {
  it("measures a row and writes a report with every field", async () => {
    const folder = mkdtempSync(join(tmpdir(), "bench-"));
    try {
      const file = join(folder, "out.json");
      const args = ["bench/run.mjs", "--browser", "node", "--shape", "3x2x3x4", "--only", "cpu lstm .* (forward|training)", "--seconds", "0.02", "--json", file];
      const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root });
      const report = JSON.parse(readFileSync(file, "utf8")) as Report;
      expect(report.browser).toBe(`Node ${process.version}`);
      expect(report.machine).toMatch(/, \d+ cores$/);
      expect(report.note).not.toBe("");
      expect(Number.isNaN(Date.parse(report.date))).toBe(false);
      expect(report.rows.map(({ mode }) => mode)).toEqual(["forward", "training"]);
      for (const row of report.rows) {
        expect(row).toMatchObject({ library: "webgpu-rnn", backend: "cpu", cell: "lstm", steps: 3, batch: 2, input: 3, hidden: 4, submits: 1 });
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
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("refuses, in words, what it does not know", async () => {
    const failing = promisify(execFile)(process.execPath, ["bench/run.mjs", "--browser", "lynx"], { cwd: root });
    await expect(failing).rejects.toThrow('"lynx" is none of chromium, firefox, node');
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
      refused: { short: "differs from the twin: output has 23 numbers instead of 24", failing: "failed: no such op" },
    });
  });

  it("holds small numbers to the scale of their array, not to 1", () => {
    const tiny = Float32Array.of(1e-7, 2e-7, -1e-7);
    expect(compare({ g: Float32Array.of(1e-7, 2.001e-7, -1e-7) }, { g: tiny }).problem).toContain("g[1]");
    expect(compare({ g: tiny }, { g: tiny })).toEqual({ worst: 0, problem: undefined });
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

  it("refuse shapes that are none", () => {
    expect(() => parseShape("64x32x64")).toThrow("is no shape");
    expect(() => parseShape("64x32x64x0")).toThrow("is no shape");
  });
});
