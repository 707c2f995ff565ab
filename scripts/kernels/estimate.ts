// Estimates what a time step takes on a GPU, from counted instructions and a description of the GPU. These are
// ESTIMATES: nothing has run. They rank variants of a kernel and strategies; they are not speeds to quote.
//
// A wave alone needs for a piece of code
//   alone = issue + memoryStalls · memoryLatency + ldsStalls · ldsLatency      cycles
//   issue = vector · vectorCycles + (scalar and memory instructions) · 1
// where `vector` counts multiply-adds and other vector instructions, and a stall is a wait behind new loads. The waves
// that share a SIMD fill each other's gaps but not its slots:
//   piece = max(alone, waves on the SIMD · issue)
// A workgroup runs on one unit: on GCN a compute unit, on RDNA a pair of them with four SIMDs, for which the driver compiles (1,024
// threads of 128 registers fit on no single one). It starts when all of its waves find room; the others of the unit wait until then.
// A time step is the body once and the inner loops k times; k follows from the multiply-adds that a thread owes in a
// step, rows · (gates) · H divided by the threads that share a sum. A kernel that holds its weights has no inner loop: its piece
// is the loop over time. In it all waves execute the product, and those that finish a row (rows of `shares`) the rest.
// Other kernels read all weights in each step. Such a step cannot take less than its weights take through the caches:
//   step = max(body + k · loops, bytes of weights for each unit / bytes a cycle) / clock + dispatch
// `dispatch` is the cost of one dependent dispatch, for strategies that make one for each step. The last formula is
// `stepMicroseconds`, with which the package chooses a strategy where nothing was measured.
//
// Assumptions: weights and states lie in L2 (512 units of an LSTM are 4 MB); workgroups spread evenly over units, and their waves
// over SIMDs and caches; every branch is taken; no clamping of the clock, no other work on the GPU; bank conflicts, address translation and
// instruction fetch are free.

import { weightWords } from "../../src/recurrent/kernels/recurrent-kernel.ts";
import { groupsPerUnit, midRangeGpu, smallGpu, stepMicroseconds, type Gpu } from "../../src/recurrent/strategies/estimate.ts";

/** With what else the estimate of machine code needs. */
interface DescribedGpu extends Gpu {
  readonly name: string;
  /** By Mesa's names: newer versions know some by others. */
  readonly chips: readonly string[];
  /** Cycles until what is read is there: from L2, and from workgroup memory. */
  readonly memoryLatency: number;
  readonly ldsLatency: number;
}

/**
 * GPUs whose machine code the driver can make. Compute units and clocks are those of the makers' data sheets. Latencies
 * and bandwidths are assumptions of the right order: for RDNA 2, L2 was measured some 66 ns behind L0 (Chips and Cheese,
 * "Measuring GPU Memory Latency", 2021); the others have no measurement behind them. A dependent dispatch is taken as the
 * middle of 2 to 6 µs.
 */
export const gpus: readonly DescribedGpu[] = [
  {
    name: "an integrated GPU (Radeon Vega 8 of a Ryzen 4000: 8 compute units, 1.75 GHz)",
    chips: ["renoir"],
    ...smallGpu,
    memoryLatency: 230,
    ldsLatency: 64,
  },
  {
    name: "a mid-range GPU (Radeon RX 6800: 60 compute units, 2.1 GHz)",
    chips: ["navi21"],
    ...midRangeGpu,
    memoryLatency: 220,
    ldsLatency: 50,
  },
  {
    name: "a large desktop GPU (Radeon RX 7900 XTX: 96 compute units, 2.3 GHz)",
    chips: ["gfx1100", "navi31"],
    units: 48,
    clockMHz: 2300,
    vectorCycles: 2,
    memoryLatency: 220,
    ldsLatency: 50,
    cacheBytes: 128,
    l2Bytes: 1536,
    dispatchMicroseconds: 4,
  },
  {
    name: "a server's GPU (Instinct MI50: 60 compute units, 1.7 GHz)",
    chips: ["vega20"],
    units: 60,
    clockMHz: 1700,
    vectorCycles: 4,
    memoryLatency: 230,
    ldsLatency: 64,
    cacheBytes: 64,
    l2Bytes: 1024,
    dispatchMicroseconds: 4,
  },
];

/** The description of a GPU by one of Mesa's names for it, if there is one. */
export const gpuOf = (chip: string): DescribedGpu | undefined => gpus.find(({ chips }) => chips.includes(chip));

const waveSize = 64;
const simdsPerUnit = 4;

/** The counts of a piece of code; see machine-code.mjs. */
type Counts = Readonly<
  Record<
    "fma" | "macs" | "valu" | "salu" | "loads" | "stores" | "scalarLoads" | "lds" | "branches" | "barriers" | "memoryStalls" | "ldsStalls",
    number
  >
>;

/**
 * A kernel's machine code, with the rows of the batch that a thread computes, the threads of a workgroup and those of a sum, and
 * the units whose weights a thread keeps.
 */
interface Code {
  readonly kernel: string;
  readonly threads: number;
  readonly rows: number;
  readonly shares: number;
  readonly held: number;
  /** Waves of 64 lanes that a SIMD has room for. */
  readonly waves: number;
  readonly loops: readonly Counts[];
  readonly body: Counts;
}

/** The cell, the shape [T, B, I, H] and the grid of one layer. */
interface Use {
  readonly cell: string;
  readonly shape: readonly number[];
  readonly workgroups: readonly number[];
}

/**
 * Gates of a cell, those that a kernel multiplies in a step, and how often it reads the weights. A cell with two phases
 * has a product for two gates, then one for the candidate; kernels whose threads may share sums make each of them for all gates.
 */
function gatesOf({ kernel }: Code, cell: string): { readonly G: number; readonly multiplied: number; readonly reads: number } {
  const G = cell.startsWith("lstm") ? 4 : cell.startsWith("gru") ? 3 : 1;
  const all = kernel.includes("-shared:");
  if (kernel.startsWith("loop-two-phase")) return { G, multiplied: all ? 2 * G : G, reads: 2 };
  return { G, multiplied: all ? G : kernel.endsWith(":first") ? 2 : kernel.endsWith(":second") ? 1 : G, reads: 1 };
}

const issueCycles = (gpu: Gpu, counts: Counts): number =>
  (counts.fma + counts.valu) * gpu.vectorCycles +
  counts.salu +
  counts.loads +
  counts.stores +
  counts.scalarLoads +
  counts.lds +
  counts.branches +
  counts.barriers;

/** `busy`: the cycles in which a SIMD issues what its waves execute of the piece. */
const pieceCycles = (gpu: DescribedGpu, counts: Counts, busy: number): number => {
  const stalls = counts.memoryStalls * gpu.memoryLatency + (counts.ldsStalls + counts.barriers) * gpu.ldsLatency;
  return Math.max(issueCycles(gpu, counts) + stalls, busy);
};

/** The waves of a SIMD that finish a row execute all of the loop over time, the others the multiply-adds of the product. */
function busyHolding(gpu: Gpu, { rows, shares, held }: Code, multiplied: number, counts: Counts, wavesOnSimd: number): number {
  const product = held * multiplied * rows * gpu.vectorCycles;
  return wavesOnSimd * product + Math.ceil((wavesOnSimd * rows) / shares) * (issueCycles(gpu, counts) - product);
}

/** Cycles of all workgroups of a unit, by those of so many at once. More than there is room for wait until the others have finished. */
export const inTurns = (groups: number, room: number, cycles: (together: number) => number): number =>
  Math.floor(groups / room) * cycles(room) + (groups % room > 0 ? cycles(groups % room) : 0);

/** Microseconds of one time step of a recurrent kernel; `undefined` for kernels that walk no time. */
export function microsecondsPerStep(gpu: DescribedGpu, kernel: Code, { cell, shape, workgroups: grid }: Use): number | undefined {
  if (!isRecurrent(kernel.kernel) || kernel.loops.length === 0) return undefined;
  // A regularized step whose product is another dispatch: its loops walk the units of a row, and it reads no matrix.
  const rowsOnly = /^regularized/.test(kernel.kernel) && !kernel.kernel.includes("fused");
  // A loop of half the largest one or less is the remainder of an unrolled sum.
  const loops = rowsOnly ? kernel.loops : kernel.loops.filter(({ macs }) => 2 * macs > kernel.loops[0].macs);
  const H = shape[3];
  const { G, multiplied, reads } = gatesOf(kernel, cell);
  const workgroups = grid.reduce((product, n) => product * n, 1);
  const wavesPerGroup = Math.ceil(kernel.threads / waveSize);
  const holds = kernel.held > 0;
  /** Of so many workgroups on a unit. */
  const step = (together: number): number => {
    const wavesOnSimd = Math.ceil((together * wavesPerGroup) / simdsPerUnit);
    if (holds) return pieceCycles(gpu, kernel.loops[0], busyHolding(gpu, kernel, multiplied, kernel.loops[0], wavesOnSimd));
    const k = rowsOnly
      ? Math.ceil(H / kernel.threads)
      : (kernel.rows * multiplied * H) / kernel.shares / loops.reduce((sum, { macs }) => sum + macs, 0);
    const piece = (counts: Counts): number => pieceCycles(gpu, counts, wavesOnSimd * issueCycles(gpu, counts));
    return piece(kernel.body) + k * loops.reduce((sum, loop) => sum + piece(loop), 0);
  };
  const shared = kernel.kernel.includes("-shared:") ? kernel.threads : undefined;
  const words = weightWords(G, { shared, half: kernel.kernel.includes(":half") });
  const walksTime = /^loop|fused/.test(kernel.kernel);
  return stepMicroseconds(gpu, {
    workgroups,
    // Of a step, each workgroup reads the weights of its own units.
    bytes: holds || rowsOnly ? 0 : (reads * 4 * words * H * H) / (walksTime ? 1 : grid[0]),
    cycles: inTurns(groupsPerUnit(gpu, workgroups), Math.floor((kernel.waves * simdsPerUnit) / wavesPerGroup), step),
    dispatches: walksTime ? 0 : 1,
  });
}

/** True if a kernel computes time steps. */
export const isRecurrent = (name: string): boolean => /^(loop|step|two-phase|regularized)/.test(name);
