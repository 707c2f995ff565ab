/**
 * Times subjects sample by sample. The runner takes them round robin, so that other work on the machine affects all of
 * them alike.
 */
import { countGpuCalls } from "./gpu-calls.ts";
import type { Subject } from "./library.ts";

export interface Effort {
  /** Seconds of timing that one row may take, warm-up apart (a single run may take longer). */
  readonly seconds: number;
  /** Most and fewest samples of a row. */
  readonly most: number;
  readonly least: number;
}

export const defaultEffort: Effort = { seconds: 3, most: 15, least: 3 };

/** A sample should last this long, so that the clock's resolution hardly counts, … */
const sampleMilliseconds = 60;
/** … and this many times the overhead of a sample: the read-back at its end takes milliseconds. */
const fixedShare = 5;
const longestSample = 1000;
/** From this difference of times on, a run's time is known well enough to plan with it. */
const leastMilliseconds = 10;
const mostRuns = 1e6;

/** Returns its milliseconds if it has a better clock than the host's. */
type Run = (times: number) => Promise<number | undefined>;

interface Runner {
  readonly run: Run;
  readonly samples: number[];
  /** Runs a sample. */
  times: number;
  spent: number;
}

/** A subject that has been warmed up and has given its first sample. */
export class Timed {
  /** Of one run. */
  readonly dispatches: number;
  readonly submits: number;
  private steadily: Runner | undefined;

  private constructor(
    private readonly subject: Subject,
    private readonly runner: Runner,
    counts: { dispatches: number; submits: number },
  ) {
    ({ dispatches: this.dispatches, submits: this.submits } = counts);
  }

  /** @param breathe called between runs; it may throw to end the measurement */
  static async start(subject: Subject, breathe: () => Promise<void>): Promise<Timed> {
    const started = performance.now();
    const counts = await countRun(subject);
    // If a run takes seconds, one warm-up run is enough and one run is a sample.
    const slow = performance.now() - started > 3000;
    await breathe();
    const runner = await warmUp((times) => subject.run(times).then(() => undefined), slow);
    await breathe();
    await sample(runner);
    return new Timed(subject, runner, counts);
  }

  /** Milliseconds of each sample, per run. */
  get samples(): readonly number[] {
    return this.runner.samples;
  }

  /** The same without transfers, where the library offers it. */
  get steady(): readonly number[] {
    return this.steadily?.samples ?? [];
  }

  /**
   * Takes one more sample if time allows: first of whole runs, then of runs without transfers.
   * @param before called before the sample, and before a run that warms the caches again
   * @returns true if it was taken
   */
  async further(effort: Effort, before: () => Promise<void>): Promise<boolean> {
    const { subject, runner } = this;
    const warmed = async (one: Runner): Promise<true> => {
      await before();
      await one.run(1);
      return sample(one);
    };
    if (wants(runner, effort)) return warmed(runner);
    if (!subject.steady) return false;
    const steadily = (this.steadily ??= await warmUp((times) => subject.steady!(times)));
    return wants(steadily, steadyEffort(effort)) && warmed(steadily);
  }

  /** Milliseconds that further samples will take. */
  left(effort: Effort): number {
    const steady = this.subject.steady ? leftOf(this.steadily ?? { samples: [], spent: 0 }, steadyEffort(effort)) : 0;
    return leftOf(this.runner, effort) + steady;
  }
}

const steadyEffort = (effort: Effort): Effort => ({ ...effort, seconds: effort.seconds / 2 });

const averageOf = ({ spent, samples }: Pick<Runner, "spent" | "samples">): number => spent / Math.max(1, samples.length);

function wants(runner: Runner, { seconds, most, least }: Effort): boolean {
  const { length } = runner.samples;
  return length < most && (length < least || runner.spent + averageOf(runner) <= 1000 * seconds);
}

function leftOf(runner: Pick<Runner, "spent" | "samples">, { seconds, most, least }: Effort): number {
  const average = averageOf(runner) || sampleMilliseconds;
  const affordable = Math.max(least, Math.floor((1000 * seconds) / average));
  return Math.max(0, Math.min(most, affordable) - runner.samples.length) * average;
}

async function sample(runner: Runner): Promise<true> {
  let own: number | undefined;
  const took = await time(async () => {
    own = await runner.run(runner.times);
  });
  // Short: the machine was busy when the number of runs was chosen, and the clock tells little of so few.
  if (took < sampleMilliseconds / 2 && runner.times < mostRuns) {
    runner.times *= 4;
    return sample(runner);
  }
  runner.samples.push((own ?? took) / runner.times);
  runner.spent += took;
  return true;
}

/** Small arrays that fill the part of any engine's heap where new objects begin: 16 MB in V8. */
const litter = 400_000;
/** As long as V8 usually takes to give back the memory of a sample's results, on a thread of its own; 40 to 110 ms were seen. */
export const sweepMilliseconds = 60;
let newest: unknown;

/**
 * Lets the engine collect what other libraries' samples have left. Else it does so in the next sample, whose library pays:
 * while V8 frees the results of 60 calls of onnxruntime-web, each call of others takes 3 ms instead of 0.5.
 */
export async function clearAway(): Promise<void> {
  for (let i = 0; i < litter; i++) newest = [i, newest === undefined];
  await new Promise((resolve) => setTimeout(resolve, sweepMilliseconds));
}

/** The first run, which is never timed because it may still compile. It also counts what a run submits. */
async function countRun(subject: Subject): Promise<{ dispatches: number; submits: number }> {
  const { counters } = subject;
  if (!counters) {
    const { dispatches, submits } = await countGpuCalls(() => subject.run(1));
    return { dispatches, submits };
  }
  const { dispatches, submits } = counters;
  await subject.run(1);
  return { dispatches: counters.dispatches - dispatches, submits: counters.submits - submits };
}

async function warmUp(run: Run, slow = false): Promise<Runner> {
  return { run, samples: [], times: slow ? 1 : await timesPerSample(run), spent: 0 };
}

/** Runs per sample, computed from the times of one run and of more in a row. */
async function timesPerSample(run: Run): Promise<number> {
  const one = await time(() => run(1));
  if (one > 300) return 1;
  let times = 5;
  let several = await time(() => run(times));
  // Pages' clocks may have steps of a millisecond, and a run may take one of a microsecond.
  while (several - one < leastMilliseconds && times < mostRuns) {
    times *= 4;
    several = await time(() => run(times));
  }
  const each = Math.max((several - one) / (times - 1), sampleMilliseconds / mostRuns);
  const wanted = Math.max(sampleMilliseconds, fixedShare * Math.max(0, one - each));
  return Math.max(1, Math.round(Math.min(wanted, longestSample) / each));
}

async function time(run: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await run();
  return performance.now() - started;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
