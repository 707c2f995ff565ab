// How `npm run kernels` reads a driver's output and evaluates it.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { gpuOf, gpus, microsecondsPerStep } from "../../scripts/kernels/estimate.ts";
import { countInstructions, readKernel } from "../../scripts/kernels/machine-code.mjs";
import { estimatedMicroseconds } from "../../src/recurrent/strategies/estimate.ts";
import { describeChanges, findProblems, rowOf, whyNotCompared } from "../../scripts/kernels/table.mjs";

const product = (k: number): string[] => [
  ...Array.from({ length: k }, () => "buffer_load_dwordx4 v[28:31], v25, s[40:43], 0 offen ; e0381000"),
  "ds_read_b128 v[32:35], v25",
  "s_add_u32 s38, s38, 1",
  "s_waitcnt vmcnt(0) lgkmcnt(0)",
  ...Array.from({ length: 16 * k }, () => "v_fmac_f32_e32 v12, v32, v28"),
];

/** A loop over time around a loop over k, which takes `k` at a time. */
const log = (k: number, { spilled = 0, sgprs = 128, waves = 24 } = {}): string =>
  [
    "Compute Shader",
    "disasm:",
    "BB0:",
    "\tv_mov_b32_e32 v1, v0",
    "BB1:",
    "\ts_cmp_ge_u32 s20, s11",
    "\ts_cbranch_scc1 BB4",
    "\ts_barrier",
    "BB2:",
    ...product(k).map((line) => `\t${line}`),
    "\ts_cbranch_scc0 BB2",
    "BB3:",
    "\tv_exp_f32_e32 v12, v12",
    "\tbuffer_store_dword v1, v2, s[0:3], 0 offen",
    "\ts_branch BB1",
    "BB4:",
    "\ts_endpgm",
    "Compute Shader:",
    "*** SHADER STATS ***",
    `SGPRs: ${sgprs}`,
    "VGPRs: 40",
    "Spilled SGPRs: 0",
    `Spilled VGPRs: ${spilled}`,
    "Code size: 3220",
    "LDS size: 4096",
    "Scratch size: 0",
    `Subgroups per SIMD: ${waves}`,
    "Latency: 22941",
    "Inverse Throughput: 2158",
    "",
  ].join("\n");

const compiled = {
  name: "loop-forward:lstm:128x4",
  threads: 128,
  rows: 4,
  shares: 1,
  held: 0,
  uses: [{ case: "lstm 64x32x64x128 loop", cell: "lstm", shape: [64, 32, 64, 128], strategy: "loop", workgroups: [8, 1, 1], count: 1 }],
};
const marked = (text: string): string => `@@ ${compiled.name}\n${text}@@end ${compiled.name}\n`;

const stored = JSON.parse(readFileSync(new URL("../../bench/kernels.json", import.meta.url), "utf8")) as {
  chip: string;
  rows: {
    kernel: string;
    vgprs: number;
    waves: number;
    grids: { case: string; threads: number; estimatedMicrosecondsPerStep?: number }[];
  }[];
};

describe("machine code", () => {
  it("is read as statistics, the innermost loop and the body around it", () => {
    const kernel = readKernel(log(1));
    expect(kernel).toMatchObject({ vgprs: 40, waves: 12, walksTime: true });
    expect(kernel.loops).toHaveLength(1);
    expect(kernel.loops[0]).toMatchObject({
      fma: 16,
      macs: 16,
      salu: 1,
      loads: 1,
      lds: 1,
      waits: 1,
      branches: 1,
      memoryStalls: 1,
      ldsStalls: 1,
      widths: { x4: 1 },
      instructions: 21,
    });
    expect(kernel.body).toMatchObject({ fma: 0, valu: 1, stores: 1, barriers: 1, branches: 2 });
  });

  it("has room for half as many waves as the driver says of RDNA, which counts halves of 32 lanes", () => {
    expect([128, 104, 48].map((sgprs) => readKernel(log(1, { sgprs, waves: 8 })).waves)).toEqual([4, 8, 8]);
  });

  it("counts one stall for a batch of loads, however many waits follow it", () => {
    const batch = [
      "buffer_load_dword v1, v2, s[0:3], 0",
      "buffer_load_dword v3, v2, s[0:3], 0",
      "s_waitcnt vmcnt(1)",
      "s_waitcnt vmcnt(0)",
    ];
    expect(countInstructions(batch)).toMatchObject({ loads: 2, waits: 2, memoryStalls: 1 });
    expect(countInstructions([...batch, ...batch])).toMatchObject({ memoryStalls: 2 });
  });

  it("counts both halves of a joined instruction, and the product that begins a dot product", () => {
    expect(countInstructions(["v_dual_fmac_f32 v1, v2, v3 :: v_dual_fmac_f32 v4, v5, v6"])).toMatchObject({ fma: 2, macs: 2 });
    expect(countInstructions(["v_mul_f32_e32 v1, v2, v3", "v_fmac_f32_e32 v1, v4, v5"])).toMatchObject({ fma: 1, valu: 1, macs: 2 });
  });

  it("is refused when the driver did not say a statistic", () => {
    expect(() => readKernel(log(1).replace("VGPRs: 40\n", ""))).toThrow('no "VGPRs"');
  });
});

describe("estimates", () => {
  const [, gpu] = gpus;
  const use = compiled.uses[0];
  const code = (k: number, of = {}) => ({ kernel: compiled.name, threads: 128, rows: 4, shares: 1, held: 0, ...readKernel(log(k, of)) });
  const estimate = (k: number): number => microsecondsPerStep(gpu, code(k), use) as number;

  it("add up issue and exposed latencies over the 128 iterations of the product", () => {
    // 16 FMA at 2 cycles, load, read, scalar and branch at 1: 36; one latency of memory, one of workgroup memory.
    const inner = 36 + gpu.memoryLatency + gpu.ldsLatency;
    const body = 2 + 1 + 1 + 2 + 1 + gpu.ldsLatency;
    expect(estimate(1)).toBeCloseTo((128 * inner + body) / gpu.clockMHz, 1);
  });

  it("fall when four loads share one latency", () => {
    expect(estimate(4) / estimate(1)).toBeLessThan(0.5);
  });

  it("let workgroups wait that find no room for all of their waves", () => {
    // 16 waves fit four times into the 64 of a pair of compute units if each SIMD has 16, once if it has four.
    const groups = (count: number, waves: number): number =>
      microsecondsPerStep(gpu, { ...code(1), threads: 1024, waves }, { ...use, workgroups: [count, 1, 1] }) as number;
    const [one] = [1, 30].map((count) => groups(count, 4));
    expect([30, 31, 60, 61].map((count) => groups(count, 4) / one)).toEqual([1, 2, 2, 3]);
    expect([31, 60].map((count) => groups(count, 16) / one)).toEqual([1, 1]);
    expect(groups(31, 7)).toBe(groups(31, 4));
    expect(groups(31, 8)).toBeLessThan(groups(31, 7));
  });

  it("count all gates in both products of two phases where threads may share sums, also if each has its own", () => {
    const loopOf = (kernel: string): number => microsecondsPerStep(gpu, { ...code(1), kernel }, { ...use, cell: "gru" }) as number;
    const [own, all] = ["loop-two-phase-forward:gru:128", "loop-two-phase-forward-shared:gru:128x1x4"].map(loopOf);
    expect(all / own).toBeGreaterThan(1.9);
  });

  it("know a GPU by the names that older and newer drivers have for it", () => {
    expect(gpuOf("navi31")).toBe(gpuOf("gfx1100"));
    expect([gpuOf("renoir")?.units, gpuOf("navi9000")]).toEqual([8, undefined]);
  });

  it("know nothing of kernels that walk no time", () => {
    expect(microsecondsPerStep(gpu, { ...compiled, kernel: "adam", ...readKernel(log(1)) }, use)).toBeUndefined();
  });
});

describe("the stored table", () => {
  it("has no more waves of 64 lanes on a SIMD of RDNA 2 than its 16 slots and 512 registers, and each workgroup on four SIMDs", () => {
    expect(stored.chip).toBe("navi21");
    for (const { kernel, waves, vgprs, grids } of stored.rows) {
      expect(waves, kernel).toBeLessThanOrEqual(Math.min(16, Math.floor(512 / vgprs)));
      expect(4 * waves, kernel).toBeGreaterThanOrEqual(grids[0].threads / 64);
    }
  });
});

describe("what strategies are chosen by without a profile", () => {
  const gpu = gpuOf(stored.chip)!;
  const compared = stored.rows.flatMap(({ kernel, grids }) =>
    grids.flatMap(({ case: name, estimatedMicrosecondsPerStep: counted }) => {
      const [, cell, half, T, B, H, strategy] = /^(\S+?)(-half)? (\d+)x(\d+)x\d+x(\d+) (loop|step)$/.exec(name)!;
      const { phases, G } = {
        lstm: { phases: 1, G: 4 },
        gru: { phases: 1, G: 3 },
        "gru-before": { phases: 2, G: 3 },
        "lstm-layer-norm": { phases: 1, G: 4 },
      }[cell] ?? { phases: 1, G: 1 };
      const regularized = cell.endsWith("norm") ? "row" : "none";
      // The product of such a step is another dispatch, of a kernel that knows nothing of time.
      if (counted === undefined || (regularized === "row" && strategy === "step")) return [];
      const size = { T: Number(T), B: Number(B), H: Number(H), G };
      const plain = { lanes: 1, layers: 1, heads: 1, linear: false, recomputes: false, training: true } as const;
      const estimate = estimatedMicroseconds({ ...size, ...plain, phases, half: half !== undefined, regularized }, 1024, gpu);
      if (!estimate) return [];
      // A kernel of a step with two phases is one of two.
      const ruled = strategy === "loop" ? estimate.loop : estimate.step / phases;
      return [{ layer: name.replace(/ \w+$/, ""), kind: `${cell}${half ?? ""} ${strategy}`, strategy, kernel, counted, ruled, estimate }];
    }),
  );

  it("is within 20 % of the estimates from machine code", () => {
    for (const { layer, kernel, counted, ruled } of compared)
      expect(Math.abs(Math.log(ruled / counted)), `${kernel}, ${layer}: ${ruled} for ${counted}`).toBeLessThan(Math.log(1.2));
    const kinds = ["lstm", "lstm-half", "gru", "gru-before", "rnn"].flatMap((cell) => [`${cell} loop`, `${cell} step`]);
    expect([...new Set(compared.map(({ kind }) => kind))].sort()).toEqual([...kinds, "lstm-layer-norm loop"].sort());
  });

  it("prefers the strategy that the machine code prefers, where they differ by a tenth", () => {
    const layers = new Set(compared.map(({ layer }) => layer));
    const preferred = [...layers].flatMap((layer) => {
      const both = compared.filter((one) => one.layer === layer);
      const total = (of: string): number => both.reduce((sum, { strategy, counted }) => sum + (strategy === of ? counted : 0), 0);
      const [loop, step] = [total("loop"), total("step")];
      if (loop === 0 || step === 0 || Math.abs(Math.log(loop / step)) < Math.log(1.1)) return [];
      const [{ estimate }] = both;
      return [{ layer, counted: loop < step ? "loop" : "step", ruled: estimate.loop < estimate.step ? "loop" : "step" }];
    });
    expect(new Set(preferred.map(({ counted }) => counted))).toEqual(new Set(["loop", "step"]));
    expect(preferred.filter(({ counted, ruled }) => counted !== ruled)).toEqual([]);
  });
});

describe("the comparison with a stored table", () => {
  const table = (text: string): { chip: string; rows: object[] } => ({ chip: "navi21", rows: [rowOf(compiled, marked(text), "navi21")] });

  it("passes an equal table and one of another chip", () => {
    expect(findProblems(table(log(1)), table(log(1)))).toEqual([]);
    expect(findProblems(table(log(1)), { ...table(log(4)), chip: "renoir" })).toEqual([]);
  });

  it("names a kernel whose share of multiply-adds fell, and one that spills", () => {
    expect(findProblems(table(log(1)), table(log(4)))).toEqual([
      expect.stringContaining("loop-forward:lstm:128x4: 76 % of its inner loop are multiply-adds"),
    ]);
    expect(findProblems(table(log(1, { spilled: 3 })), undefined)).toEqual(["loop-forward:lstm:128x4: spilledVgprs is 3, must be 0"]);
  });

  it("compares no shares with those of another compiler, and says so, but names what spills", () => {
    const by = (driver: string, text: string) => ({ ...table(text), driver: `amd rdna-2 radv: ${driver} (hardware)` });
    const [older, patched] = [by("Mesa 22.3.6", log(4)), by("Mesa 22.3.7", log(1))];
    expect(whyNotCompared(patched, older)).toBeUndefined();
    expect(findProblems(patched, older)).toHaveLength(1);
    const newer = by("Mesa 25.0.7-2~bpo12+1", log(1, { spilled: 3 }));
    expect(whyNotCompared(newer, older)).toBe("the stored table is by Mesa 22.3, this one by Mesa 25.0");
    expect(findProblems(newer, older, true)).toEqual(["loop-forward:lstm:128x4: spilledVgprs is 3, must be 0"]);
    expect(whyNotCompared(older, { ...older, chip: "renoir" })).toBe("the stored table is of renoir");
    expect(whyNotCompared(older, undefined)).toBe("there is no stored table");
  });

  it("names kernels that a whole table lacks or has besides, since their shares are compared with nothing", () => {
    const one = table(log(1));
    const other = { chip: "navi21", rows: [{ ...one.rows[0], kernel: "adam" }] };
    expect(findProblems(one, other)).toEqual([]);
    expect(findProblems(one, one, true)).toEqual([]);
    expect(findProblems(one, other, true)).toEqual([
      "loop-forward:lstm:128x4: not in the stored table; --update adds it",
      "adam: only in the stored table; --update removes it",
    ]);
  });

  it("lists each kernel that is new, gone or other, and nothing of an equal one", () => {
    const one = table(log(1));
    const [row] = one.rows;
    const other = { chip: "navi21", rows: [{ ...row, kernel: "adam" }] };
    expect(describeChanges(one, table(log(1)))).toEqual([]);
    expect(describeChanges(table(log(1, { spilled: 3 })), one)).toEqual(["loop-forward:lstm:128x4: spilledVgprs 0 -> 3"]);
    expect(describeChanges(table(log(4)), one)).toEqual([expect.stringMatching(/^loop-forward:lstm:128x4: (.*, )?other loops/)]);
    expect(describeChanges(one, other)).toEqual(["adam: gone", "loop-forward:lstm:128x4: new"]);
    expect(describeChanges(one, { ...one, chip: "renoir" })).toEqual(["the table was of renoir"]);
    expect(describeChanges(one, undefined)).toEqual(["there was no table"]);
  });
});
