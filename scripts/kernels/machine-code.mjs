// Reads what Mesa's RADV driver prints of a compute shader (RADV_DEBUG=shaders,shaderstats): its statistics, and the
// instructions of its loops, for AMD GPUs from GCN 3 to RDNA 3.

/** The driver's names for what the table shows. */
const statisticNames = {
  vgprs: "VGPRs",
  spilledVgprs: "Spilled VGPRs",
  spilledSgprs: "Spilled SGPRs",
  scratch: "Scratch size",
  lds: "LDS size",
  code: "Code size",
  waves: "Subgroups per SIMD",
  latency: "Latency",
  throughput: "Inverse Throughput",
};

/** The kinds of instructions that `countInstructions` tells apart, in the table's order. */
export const kinds = ["fma", "valu", "salu", "loads", "stores", "scalarLoads", "lds", "waits", "barriers", "branches", "scratch"];

const patterns = [
  ["fma", /^v_(pk_)?(dual_)?(fma|fmac|mac|mad_f|madak|madmk|dot)/],
  ["loads", /^(buffer|global|flat)_load/],
  ["stores", /^(buffer|global|flat)_(store|atomic)/],
  ["scratch", /^scratch_/],
  ["lds", /^ds_/],
  ["scalarLoads", /^s_(buffer_)?load/],
  ["waits", /^s_wait(cnt|_)/],
  ["barriers", /^s_barrier/],
  ["branches", /^s_(cbranch|branch|endpgm)/],
  // Hints to the fetcher take no slot of the arithmetic units.
  ["hints", /^s_(clause|nop|inst_prefetch|delay_alu|sleep)/],
  ["valu", /^v_/],
  ["salu", /^s_/],
];

/** @returns {string | undefined} the kind of an instruction; undefined for labels and remarks */
const kindOf = (line) => patterns.find(([, pattern]) => pattern.test(line))?.[0];

/** Numbers of 32 bits that an instruction moves for each lane. */
const widthOf = (line) => Number(/(?:dwordx|_b)(\d+)/.exec(line)?.[1] ?? 1) / (/_b(32|64|96|128)\b/.test(line) ? 32 : 1);

/**
 * Counts the instructions of a piece of code by kind. `memoryStalls` and `ldsStalls` are the waits after new loads of
 * their kind: each exposes one whole latency, while further waits for the same batch of loads expose little.
 */
export function countInstructions(lines) {
  const counts = Object.fromEntries(kinds.map((kind) => [kind, 0]));
  const widths = {};
  let macs = 0;
  let [memoryStalls, ldsStalls] = [0, 0];
  let [memoryPending, ldsPending] = [false, false];
  for (const line of lines) {
    const kind = kindOf(line);
    if (kind === undefined || kind === "hints") continue;
    counts[kind]++;
    // RDNA 3 joins two operations in one instruction.
    if (/^v_dual_fmac.*fmac/.test(line)) counts.fma++;
    // A dot product begins with a product that adds to nothing.
    if (kind === "fma" || /^v_(dual_)?mul_f32/.test(line)) macs++;
    if (kind === "loads") {
      const width = `x${widthOf(line)}`;
      widths[width] = (widths[width] ?? 0) + 1;
      memoryPending = true;
    }
    if (kind === "lds" || kind === "scalarLoads") ldsPending = true;
    if (kind !== "waits") continue;
    if (memoryPending && /vmcnt|loadcnt/.test(line)) {
      memoryStalls++;
      memoryPending = false;
    }
    if (ldsPending && /lgkmcnt|dscnt|kmcnt/.test(line)) {
      ldsStalls++;
      ldsPending = false;
    }
  }
  const all = kinds.reduce((sum, kind) => sum + counts[kind], 0);
  return {
    ...counts,
    macs: macs + counts.fma - lines.filter((line) => kindOf(line) === "fma").length,
    widths,
    memoryStalls,
    ldsStalls,
    instructions: all,
    fmaShare: all === 0 ? 0 : counts.fma / all,
  };
}

/** The loops of a disassembly as [first line, last line], by their jumps back. */
function loopsOf(lines) {
  const labels = new Map();
  lines.forEach((line, at) => {
    const label = /^(BB\d+):/.exec(line)?.[1];
    if (label !== undefined) labels.set(label, at);
  });
  /** @type {Map<number, number>} */
  const loops = new Map();
  lines.forEach((line, at) => {
    const target = labels.get(/^s_c?branch\S*\s+(BB\d+)/.exec(line)?.[1]);
    if (target !== undefined && target <= at) loops.set(target, Math.max(at, loops.get(target) ?? 0));
  });
  return [...loops];
}

const inside = ([first, last], [from, to]) => first >= from && last <= to && (first !== from || last !== to);

/** The lines of the last disassembly in a part of the log, without addresses and remarks. */
function disassembly(log) {
  const lines = log.split("\n");
  const start = lines.lastIndexOf("disasm:");
  const end = lines.findIndex((line, at) => at > start && /^(\*\*\* SHADER|Compute Shader)/.test(line));
  return lines
    .slice(start + 1, end < 0 ? undefined : end)
    .map((line) => line.replace(/\s*(\/\/|;).*$/, "").trim())
    .filter(Boolean);
}

/**
 * Describes the machine code of one kernel.
 * @param {string} log what the driver printed while it compiled the kernel
 * @returns {{ [statistic: string]: any, waves: number, loops: any[], body: any, walksTime: boolean }} statistics, `waves` of 64 lanes that a SIMD has room for, `loops` (the innermost loops that multiply and add, the largest first), and `body`: what is
 * executed once for each round of the loop around the largest one, or once in all if there is none around it
 */
export function readKernel(log) {
  const said = (title) => {
    const value = new RegExp(`^${title}: (\\d+)$`, "m").exec(log)?.[1];
    if (value === undefined) throw new Error(`the driver's output has no "${title}"`);
    return Number(value);
  };
  const statistics = Object.fromEntries(Object.entries(statisticNames).map(([name, title]) => [name, said(title)]));
  // All code is in waves of 64 lanes. On RDNA, where each wave has 128 scalar registers (on GCN 112 at most), the driver counts halves.
  const halves = said("SGPRs") === 128 ? 2 : 1;
  const lines = disassembly(log);
  const all = loopsOf(lines);
  const innermost = all.filter((loop) => !all.some((other) => inside(other, loop)));
  const counted = innermost
    .map((range) => ({ range, counts: countInstructions(lines.slice(range[0], range[1] + 1)) }))
    .filter(({ counts }) => counts.fma > 0)
    .sort((a, b) => b.counts.fma - a.counts.fma);
  const largest = counted[0]?.range;
  const around =
    largest === undefined ? undefined : all.filter((loop) => inside(largest, loop)).sort((a, b) => a[1] - a[0] - (b[1] - b[0]))[0];
  const [from, to] = around ?? [0, lines.length - 1];
  const withinInner = (at) => innermost.some(([first, last]) => at >= first && at <= last);
  const body = countInstructions(lines.filter((_, at) => at >= from && at <= to && !withinInner(at)));
  return {
    ...statistics,
    waves: statistics.waves / halves,
    loops: counted.map(({ counts }) => counts),
    body,
    walksTime: around !== undefined,
  };
}
