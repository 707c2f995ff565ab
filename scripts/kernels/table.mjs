// The table of `npm run kernels`: its rows, how it is printed, and its comparison with a stored one.
export { gpus } from "./estimate.ts";
import { gpuOf, microsecondsPerStep } from "./estimate.ts";
import { readKernel } from "./machine-code.mjs";

/** The share of multiply-adds may fall by so much before it counts as worse. */
const tolerance = 0.02;

const counted = (counts) => ({
  fma: counts.fma,
  valu: counts.valu,
  salu: counts.salu,
  loads: counts.loads,
  loadsByWidth: counts.widths,
  lds: counts.lds,
  waits: counts.waits,
  memoryStalls: counts.memoryStalls,
  branches: counts.branches,
  fmaShare: Number(counts.fmaShare.toFixed(3)),
});

/**
 * The row of one kernel, with the estimates of its time steps if the chip is one that estimate.ts describes.
 * @param compiled a line that compile.ts wrote
 * @param log all that the driver printed
 */
export function rowOf({ name, threads, rows, shares, held = 0, uses }, log, chip) {
  const own = log.slice(log.indexOf(`@@ ${name}\n`), log.indexOf(`@@end ${name}\n`));
  const { loops, body, walksTime, ...statistics } = readKernel(own);
  const gpu = gpuOf(chip);
  const code = { kernel: name, threads, rows, shares, held, loops, body, walksTime, waves: statistics.waves };
  const grids = uses.map((use) => {
    const microseconds = gpu && microsecondsPerStep(gpu, code, use);
    return {
      case: use.case,
      workgroups: use.workgroups,
      threads,
      dispatches: use.count,
      ...(microseconds === undefined ? {} : { estimatedMicrosecondsPerStep: Number(microseconds.toFixed(2)) }),
    };
  });
  return { kernel: name, ...statistics, loops: loops.map(counted), grids };
}

/** Right-aligned columns but for the first. */
function align(lines) {
  const widths = lines[0].map((_, i) => Math.max(...lines.map((line) => line[i].length)));
  return lines.map((line) => line.map((word, i) => (i === 0 ? word.padEnd(widths[i]) : word.padStart(widths[i]))).join(" ")).join("\n");
}

/** The table in words. */
export function describeTable({ chip, rows }) {
  const columns = ["vgprs", "spilledVgprs", "spilledSgprs", "scratch", "lds", "code", "waves", "latency", "throughput"];
  const head = [
    "kernel",
    "VGPRs",
    "spilled V",
    "S",
    "scratch",
    "LDS",
    "code",
    "waves",
    "latency",
    "throughput",
    "| fma",
    "valu",
    "salu",
    "loads",
    "lds",
    "waits",
    "stalls",
    "branches",
    "fma share",
  ];
  const lines = rows.map((row) => {
    const [loop] = row.loops;
    const inner = loop
      ? [
          `| ${loop.fma}`,
          loop.valu,
          loop.salu,
          Object.entries(loop.loadsByWidth)
            .map(([width, count]) => `${count}${width}`)
            .join("+") || 0,
          loop.lds,
          loop.waits,
          loop.memoryStalls,
          loop.branches,
          `${Math.round(100 * loop.fmaShare)} %`,
        ]
      : ["|", "", "", "", "", "", "", "", ""];
    return [row.kernel, ...columns.map((name) => row[name]), ...inner].map(String);
  });
  const estimates = rows.flatMap(({ kernel, grids }) =>
    grids
      .filter((grid) => grid.estimatedMicrosecondsPerStep !== undefined)
      .map((grid) => [`${grid.case}  ${kernel}`, grid.workgroups.join("x"), `${grid.estimatedMicrosecondsPerStep.toFixed(1)} µs`]),
  );
  const parts = ["Whole kernels, and behind the bar an iteration of the largest inner loop:", align([head, ...lines])];
  if (estimates.length > 0)
    parts.push(
      `\nESTIMATED time of a step, on ${gpuOf(chip).name}. Nothing has run; scripts/kernels/estimate.ts has the formula and its assumptions:`,
      align(estimates),
    );
  return parts.join("\n");
}

/** @typedef {{ chip: string, driver?: string, rows: any[] }} Table */

/**
 * Why shares say nothing beside those of `stored`, or undefined: another compiler makes other code of the same kernel.
 * @param {Table} table
 * @param {Table | undefined} stored
 */
export function whyNotCompared(table, stored) {
  if (stored === undefined) return "there is no stored table";
  if (stored.chip !== table.chip) return `the stored table is of ${stored.chip}`;
  const [before, now] = [stored, table].map(({ driver }) => /Mesa \d+\.\d+/.exec(driver ?? "")?.[0]);
  return before === now ? undefined : `the stored table is by ${before}, this one by ${now}`;
}

/**
 * Sentences on what must not be: spills, scratch memory, and smaller shares of multiply-adds than in `stored`, where they
 * can be compared. If both tables are whole, kernels that only one of them has, whose shares would escape the comparison.
 * @param {Table} table
 * @param {Table | undefined} stored
 * @param {boolean} [whole]
 */
export function findProblems(table, stored, whole = false) {
  const spills = table.rows.flatMap((row) =>
    ["spilledVgprs", "spilledSgprs", "scratch"]
      .filter((name) => row[name] > 0)
      .map((name) => `${row.kernel}: ${name} is ${row[name]}, must be 0`),
  );
  if (whyNotCompared(table, stored) !== undefined) return spills;
  const before = new Map(stored.rows.map((row) => [row.kernel, row.loops[0]?.fmaShare]));
  const fallen = table.rows.filter(({ kernel, loops }) => loops[0]?.fmaShare < before.get(kernel) - tolerance);
  const now = new Set(table.rows.map(({ kernel }) => kernel));
  return [
    ...spills,
    ...fallen.map(
      ({ kernel, loops }) =>
        `${kernel}: ${Math.round(100 * loops[0].fmaShare)} % of its inner loop are multiply-adds, were ${Math.round(100 * before.get(kernel))} %`,
    ),
    ...[...now].filter((kernel) => whole && !before.has(kernel)).map((kernel) => `${kernel}: not in the stored table; --update adds it`),
    ...[...before.keys()]
      .filter((kernel) => whole && !now.has(kernel))
      .map((kernel) => `${kernel}: only in the stored table; --update removes it`),
  ];
}

/**
 * What differs from a stored table: a line for each kernel that is new, gone or other.
 * @param {{ chip: string, rows: any[] }} table
 * @param {{ chip: string, rows: any[] } | undefined} stored
 */
export function describeChanges(table, stored) {
  if (stored === undefined) return ["there was no table"];
  if (stored.chip !== table.chip) return [`the table was of ${stored.chip}`];
  const [before, now] = [stored, table].map(({ rows }) => new Map(rows.map((row) => [row.kernel, row])));
  return [...new Set([...before.keys(), ...now.keys()])].flatMap((kernel) => {
    const [old, row] = [before.get(kernel), now.get(kernel)];
    if (old === undefined) return [`${kernel}: new`];
    if (row === undefined) return [`${kernel}: gone`];
    const names = Object.keys({ ...old, ...row }).filter((name) => JSON.stringify(old[name]) !== JSON.stringify(row[name]));
    const changes = names.map((name) => (typeof row[name] === "number" ? `${name} ${old[name]} -> ${row[name]}` : `other ${name}`));
    return changes.length > 0 ? [`${kernel}: ${changes.join(", ")}`] : [];
  });
}
