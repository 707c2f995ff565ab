// Estimates what a time step takes on a GPU, from counted instructions and a description of the GPU. These are
// ESTIMATES: nothing has run. They rank variants of a kernel and strategies; they are not speeds to quote.
//
// A wave alone needs for a piece of code
//   alone = issue + memoryStalls · memoryLatency + ldsStalls · ldsLatency      cycles
//   issue = vector · vectorCycles + (scalar and memory instructions) · 1
// where `vector` counts multiply-adds and other vector instructions, and a stall is a wait behind new loads. The waves
// that share a SIMD fill each other's gaps but not its slots:
//   piece = max(alone, waves on the SIMD · issue)
// A time step is the body once and the inner loops k times; k follows from the multiply-adds that a thread owes in a
// step, rows · G · H divided by the threads that share a sum. A kernel that holds its weights has no inner loop: its piece
// is the loop over time. In it all waves execute the product, and those that finish a row (rows of `shares`) the rest.
// Other kernels read all weights in each step. Such a step cannot take less than its weights take through the caches:
//   step = max(body + k · loops, bytes of weights for each compute unit / bytes a cycle) / clock + dispatch
// `dispatch` is the cost of one dependent dispatch, for strategies that make one for each step.
//
// Assumptions: weights and states lie in L2 (512 units of an LSTM are 4 MB); workgroups spread evenly over compute units;
// every branch is taken; no clamping of the clock, no other work on the GPU; bank conflicts, address translation and
// instruction fetch are free.

/**
 * GPUs whose machine code the driver can make. Compute units and clocks are those of the makers' data sheets. Latencies
 * and bandwidths are assumptions of the right order: for RDNA 2, L2 was measured some 66 ns behind L0 (Chips and Cheese,
 * "Measuring GPU Memory Latency", 2021); the others have no measurement behind them. A dependent dispatch is taken as the
 * middle of 2 to 6 µs.
 */
export const gpus = [
  {
    name: "an integrated GPU (Radeon Vega 8 of a Ryzen 4000: 8 compute units, 1.75 GHz)",
    chip: "renoir",
    computeUnits: 8,
    simdsPerUnit: 4,
    clockGHz: 1.75,
    waveSize: 64,
    vectorCycles: 4,
    memoryLatency: 230,
    ldsLatency: 64,
    cacheBytesPerCycle: 64,
    l2BytesPerCycle: 256,
    dispatchMicroseconds: 4,
  },
  {
    name: "a mid-range GPU (Radeon RX 6800: 60 compute units, 2.1 GHz)",
    chip: "navi21",
    computeUnits: 60,
    simdsPerUnit: 2,
    clockGHz: 2.1,
    waveSize: 64,
    vectorCycles: 2,
    memoryLatency: 220,
    ldsLatency: 50,
    cacheBytesPerCycle: 64,
    l2BytesPerCycle: 1024,
    dispatchMicroseconds: 4,
  },
  {
    name: "a server's GPU (Instinct MI50: 60 compute units, 1.7 GHz)",
    chip: "vega20",
    computeUnits: 60,
    simdsPerUnit: 4,
    clockGHz: 1.7,
    waveSize: 64,
    vectorCycles: 4,
    memoryLatency: 230,
    ldsLatency: 64,
    cacheBytesPerCycle: 64,
    l2BytesPerCycle: 1024,
    dispatchMicroseconds: 4,
  },
];

/** Units of U that a thread keeps the weights of; see src/recurrent/kernels/loop.ts. */
const heldUnits = 16;

/** Gates whose recurrent product a kernel makes. Of a cell with two phases, the first makes two and the second the candidate's. */
function gatesOf(kernel, cell) {
  if (kernel.endsWith(":first")) return 2;
  if (kernel.endsWith(":second")) return 1;
  return cell.startsWith("lstm") ? 4 : cell.startsWith("gru") ? 3 : 1;
}

const issueCycles = (gpu, counts) =>
  (counts.fma + counts.valu) * gpu.vectorCycles +
  counts.salu +
  counts.loads +
  counts.stores +
  counts.scalarLoads +
  counts.lds +
  counts.branches +
  counts.barriers;

/** `busy`: the cycles in which a SIMD issues what its waves execute of the piece. */
const pieceCycles = (gpu, counts, busy) => {
  const stalls = counts.memoryStalls * gpu.memoryLatency + (counts.ldsStalls + counts.barriers) * gpu.ldsLatency;
  return Math.max(issueCycles(gpu, counts) + stalls, busy);
};

/** The waves of a SIMD that finish a row execute all of the loop over time, the others the multiply-adds of the product. */
function busyHolding(gpu, { rows, shares }, G, counts, wavesOnSimd) {
  const product = heldUnits * G * rows * gpu.vectorCycles;
  return wavesOnSimd * product + Math.ceil((wavesOnSimd * rows) / shares) * (issueCycles(gpu, counts) - product);
}

/**
 * Microseconds of one time step of a recurrent kernel; `undefined` for kernels that walk no time.
 * @param kernel a row of the table, with `rows` (of the batch a thread computes), `threads` of a workgroup and
 *   `shares` (threads of a sum)
 * @param use the cell, the shape [T, B, I, H] and the grid of one layer
 */
export function microsecondsPerStep(gpu, kernel, use) {
  if (!isRecurrent(kernel.kernel) || kernel.loops.length === 0) return undefined;
  // A loop far smaller than the largest one is the remainder of an unrolled sum.
  const loops = kernel.loops.filter(({ macs }) => 2 * macs >= kernel.loops[0].macs);
  const {
    shape: [, , , H],
    workgroups,
    cell,
  } = use;
  const G = gatesOf(kernel.kernel, cell);
  const groups = workgroups.reduce((product, n) => product * n, 1);
  const wavesPerGroup = Math.ceil(kernel.threads / gpu.waveSize);
  const groupsPerUnit = Math.ceil(groups / gpu.computeUnits);
  const wanted = Math.ceil((groupsPerUnit * wavesPerGroup) / gpu.simdsPerUnit);
  const wavesOnSimd = Math.min(wanted, kernel.waves);
  const holds = kernel.kernel.includes(":held");
  const busy = (counts) => wavesOnSimd * issueCycles(gpu, counts);
  const step = () => {
    if (holds) return pieceCycles(gpu, kernel.loops[0], busyHolding(gpu, kernel, G, kernel.loops[0], wavesOnSimd));
    const k = (kernel.rows * G * H) / kernel.shares / loops.reduce((sum, { macs }) => sum + macs, 0);
    return pieceCycles(gpu, kernel.body, busy(kernel.body)) + k * loops.reduce((sum, loop) => sum + pieceCycles(gpu, loop, busy(loop)), 0);
  };
  const cycles = Math.ceil(wanted / wavesOnSimd) * step();
  const weightBytes = holds ? 0 : (G * H * H * 4) / workgroupsForUnits(kernel, use);
  const bytes = Math.max((groupsPerUnit * weightBytes) / gpu.cacheBytesPerCycle, (groups * weightBytes) / gpu.l2BytesPerCycle);
  return Math.max(cycles, bytes) / (gpu.clockGHz * 1000) + (walksTime(kernel) ? 0 : gpu.dispatchMicroseconds);
}

/** Whether a kernel computes all steps in one dispatch. */
const walksTime = ({ kernel }) => /^loop|fused/.test(kernel);

/** Of a step, each workgroup reads the weights of its own units. */
const workgroupsForUnits = (kernel, { workgroups }) => (walksTime(kernel) ? 1 : workgroups[0]);

/** True if a kernel computes time steps. */
export const isRecurrent = (name) => /^(loop|step|two-phase|regularized)/.test(name);
