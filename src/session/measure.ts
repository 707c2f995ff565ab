/**
 * The measurements of `calibrate`: recurrent layers by both strategies over a grid of sizes, and matrix products with a
 * long K.
 */
import type { Backend, Program } from "../backend/backend.ts";
import type { Cell } from "../recurrent/cells/cell.ts";
import { lstm } from "../recurrent/cells/lstm.ts";
import { profileVersion, type DeviceProfile } from "../kernels/device-profile.ts";
import { chooseMatmul, matmulSplit, squaresOf } from "../kernels/matmul.ts";
import { weightWidth } from "../recurrent/kernels/recurrent-kernel.ts";
import { derivatives } from "../recurrent/parts.ts";
import { recurrenceOf } from "../recurrent/recurrence.ts";
import { strategies } from "../recurrent/strategies/all-strategies.ts";
import { Recording, type View } from "../recording/recording.ts";
import { Tape } from "../autodiff/tape.ts";
import { now } from "../backend/clock.ts";

const units = [32, 128, 256];
const rows = [1, 4, 16, 64];
/** Time steps of the measured layers: enough that starting the loop's one dispatch hardly counts. */
const steps = 16;
/** Least milliseconds of a run (host timers are coarse), and most of all runs together. */
const least = 3;
const budget = 1500;
/** Most runs of each recording. The shortest counts, and measuring stops when the two shortest agree within 10 %. */
const fewestRounds = 2;
const mostRounds = 8;

/** Sizes of C of the measured products, and their K: weight gradients of small and medium layers. */
const products = [
  { M: 128, N: 32 },
  { M: 512, N: 128 },
];
const productLength = 1024;

const measured = ["loop", "step"] as const;
type MeasuredStrategy = (typeof measured)[number];
const passes = ["forward", "backward"] as const;
type Pass = (typeof passes)[number];
/** Microseconds per step of one layer. */
type Times = Record<Pass, Record<MeasuredStrategy, number>>;

/** Which clock counts: the device's own where it has one, or the host's. */
export type ClockChoice = "device" | "host";

/** Runs the recordings to measure. */
export async function measure(backend: Backend, by: ClockChoice = "device"): Promise<DeviceProfile> {
  await derivatives.load();
  const clock = new Clock(backend, by);
  await clock.measureLatency();
  const guess = { forward: { loop: 10, step: 10 }, backward: { loop: 10, step: 10 } };
  const fixed = await clock.layer(1, 1, guess);
  const grid: Times[][] = units.map(() => []);
  // Layers are measured from little to much work. Those beyond the budget can then be extrapolated.
  const work = (H: number, B: number): number => H * H * Math.max(4, B);
  const points = units
    .flatMap((H, i) => rows.map((B, j) => ({ H, B, i, j })))
    .sort((one, other) => work(one.H, one.B) - work(other.H, other.B));
  for (const { H, B, i, j } of points) {
    const [near, more] =
      j > 0
        ? [grid[i][j - 1], work(H, B) / work(H, rows[j - 1])]
        : i > 0
          ? [grid[i - 1][j], work(H, B) / work(units[i - 1], B)]
          : [fixed, 1];
    const inProportion = mapTimes(near, (time) => time * more);
    // Part of the smaller layer's time is fixed, so the larger one takes less than its proportion.
    grid[i][j] = clock.fits(mapTimes(near, (time) => time * Math.sqrt(more))) ? await clock.layer(H, B, near) : inProportion;
  }
  // Other work on the machine can only add time, so no layer really takes longer than a larger one.
  const cleaned = (pass: Pass, strategy: MeasuredStrategy) =>
    grid.map((line, i) =>
      line.map((_, j) => Math.min(...grid.slice(i).flatMap((wider) => wider.slice(j).map((times) => times[pass][strategy])))),
    );
  const table = (pass: Pass) => ({ loop: cleaned(pass, "loop"), step: cleaned(pass, "step") });
  return {
    version: profileVersion,
    adapter: backend.adapter,
    units,
    rows,
    fixed,
    forward: table("forward"),
    backward: table("backward"),
    products: await productTimes(clock),
  };
}

/** Microseconds of products like that of a weight's gradient, with whole and with shared sums over K. */
async function productTimes(clock: Clock): Promise<DeviceProfile["products"]> {
  const blocks = products.map((p) => squaresOf({ ...p, batch: 1 }, 4));
  const whole: number[] = [];
  const split: number[] = [];
  for (const [i, { M, N }] of products.entries()) {
    // If sharing does not pay for a small C, it does not pay for a larger one.
    const grows = blocks[i] / blocks[i - 1];
    const hopeless = i > 0 && split[i - 1] > whole[i - 1];
    const [one, other] = hopeless
      ? [whole[i - 1] * grows, split[i - 1] * grows]
      : await clock.best(gradientProducts(M, N), [1, 1]).then((best) => best.map((ms) => ms * 1000));
    whole.push(one);
    split.push(other);
  }
  return { blocks, whole, split };
}

/** C = Aᵀ·B by the kernel that is chosen without a profile, and by the one with shared sums. */
function gradientProducts(M: number, N: number): Recording[] {
  const params = {
    M,
    N,
    K: productLength,
    batch: 1,
    aOffset: 0,
    aBatch: 0,
    aRow: 1,
    aColumn: M,
    bOffset: 0,
    bBatch: 0,
    bRow: N,
    bColumn: 1,
    cOffset: 0,
    cBatch: 0,
    cRow: N,
    useBias: 0,
    accumulate: 0,
  };
  return [chooseMatmul(params), matmulSplit(params)].map((kernel) => {
    const recording = new Recording();
    const [a, b, c] = [
      ["a", M, productLength],
      ["b", productLength, N],
      ["c", M, N],
    ].map(([label, ...shape]) => recording.buffer(label as string, shape as number[]));
    recording.dispatch(kernel, { a, b, bias: b, c }, params);
    recording.download("end", { ...c, shape: [1] });
    return recording;
  });
}

function mapTimes(times: Times, change: (time: number, pass: Pass, strategy: MeasuredStrategy) => number): Times {
  const of = (pass: Pass) => ({ loop: change(times[pass].loop, pass, "loop"), step: change(times[pass].step, pass, "step") });
  return { forward: of("forward"), backward: of("backward") };
}

/** The time loop of one layer alone, over zeros. For a backward pass, `derivatives` must have been loaded. */
export function recordTimeLoop({
  cell,
  strategy,
  pass,
  T,
  B,
  H,
  on,
}: {
  cell: Cell;
  strategy: MeasuredStrategy;
  pass: Pass;
  T: number;
  B: number;
  H: number;
  /** The device that it is for. */
  on: Pick<Backend, "isGpu" | "mostThreads">;
}): Recording {
  const recording = new Recording();
  const G = cell.gateNames.length;
  const buffer = (label: string, ...shape: number[]): View => recording.buffer(label, shape);
  const segment = { lanes: 1, T, B, H, reverse: 0, hBase: 0, first: 0, steps: T };
  const lengths = recording.buffer("lengths", [B], "constant", "u32", new Uint32Array(B).fill(T));
  const buffers = { segment, gates: buffer("gates", T, B, H, G), h: buffer("h", T + 1, B, H), c: buffer("c", T + 1, B, H), lengths };
  const form = { shared: on.isGpu ? on.mostThreads : undefined };
  const weights = buffer("weights", H + 1, H, weightWidth(G, form));
  const site = { tape: new Tape(recording, {}), label: "layer", cell, whole: segment, lanes: [], form };
  if (pass === "forward") recurrenceOf(strategies[strategy], site).forward(buffers, weights, "gates", false);
  // With `tail` there are as many products as steps; without it, the last step has none.
  else
    derivatives.now.plainBackward(
      site,
      strategies[strategy],
      buffers,
      { weights, dy: buffer("dy", T, B, H), carry: buffer("carry", B, H, 2) },
      true,
    );
  recording.download("end", { ...buffers.gates, shape: [1] });
  return recording;
}

/** Milliseconds of a run: from the call until the host knows that it is done, and by the device's own clock if it has one. */
export async function millisecondsOf(program: Program, repeat: number): Promise<{ readonly host: number; readonly device?: number }> {
  const started = now();
  const { downloads, milliseconds } = await program.run({}, { repeat, timed: true });
  await downloads;
  const host = now() - started;
  return { host, device: await milliseconds };
}

/** How often a recording that takes about this long is repeated in one run. */
const repeatsFor = (milliseconds: number): number => Math.min(256, Math.ceil(least / milliseconds));

/** Times runs, on the device where it can and else on the host, and adds up what they have taken. */
class Clock {
  private spent = 0;
  /** The time of an empty run: the shortest of several. */
  private latency = 0;

  constructor(
    private readonly backend: Backend,
    private readonly by: ClockChoice,
  ) {}

  async measureLatency(): Promise<void> {
    const program = await this.backend.prepare(
      recordTimeLoop({ cell: lstm, strategy: "loop", pass: "forward", T: 1, B: 1, H: 1, on: this.backend }),
      new Map(),
    );
    this.latency = Infinity;
    for (let i = 0; i < 8; i++) this.latency = Math.min(this.latency, (await millisecondsOf(program, 1)).host);
    program.free();
  }

  /** True if there is time left to measure a layer that takes about `expected`. */
  fits(expected: Times): boolean {
    let ahead = 0;
    mapTimes(expected, (time) => {
      const run = Math.max(least, (time * steps) / 1000);
      return (ahead += run * fewestRounds);
    });
    return this.spent + ahead <= budget;
  }

  /**
   * Times of a layer. Both strategies run alternately, so that both meet the same disturbances. It takes at least
   * `about`.
   */
  async layer(H: number, B: number, about: Times): Promise<Times> {
    const which = passes.flatMap((pass) => measured.map((strategy) => ({ pass, strategy })));
    const best = await this.best(
      which.map(({ pass, strategy }) => recordTimeLoop({ cell: lstm, strategy, pass, T: steps, B, H, on: this.backend })),
      which.map(({ pass, strategy }) => (about[pass][strategy] * steps) / 1000),
    );
    return mapTimes(
      about,
      (_, pass, strategy) => (best[which.findIndex((one) => one.pass === pass && one.strategy === strategy)] * 1000) / steps,
    );
  }

  /** Milliseconds of each recording, the shortest of alternating runs; `about` is a lower bound for each. */
  async best(recordings: readonly Recording[], about: readonly number[]): Promise<number[]> {
    const programs = await Promise.all(recordings.map((recording) => this.backend.prepare(recording, new Map())));
    const runs = programs.map((program, i) => ({ program, repeat: repeatsFor(about[i]), times: [] as number[] }));
    const agree = ({ times: [best, second] }: { times: number[] }): boolean => second !== undefined && second <= best * 1.1;
    try {
      // This run does not count, because some drivers compile only now.
      for (const { program } of runs) await millisecondsOf(program, 1);
      for (let round = 0; round < mostRounds && (round < fewestRounds || this.spent < budget); round++) {
        for (const run of runs.filter((one) => !agree(one))) {
          run.times.push((await this.time(run.program, run.repeat)) / run.repeat);
          run.times.sort((one, other) => one - other);
          run.repeat = repeatsFor(run.times[0]);
        }
      }
    } finally {
      for (const program of programs) program.free();
    }
    return runs.map(({ times }) => times[0]);
  }

  /** Milliseconds of the commands alone. */
  private async time(program: Program, repeat: number): Promise<number> {
    const { host, device } = await millisecondsOf(program, repeat);
    this.spent += host;
    if (this.by === "device" && device !== undefined) return device;
    return Math.max(host - this.latency, host / 10);
  }
}
