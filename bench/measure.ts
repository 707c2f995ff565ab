/** Times subjects round robin, so that whatever else the machine does falls on all of them alike. */
import { countGpuCalls } from "./gpu-calls.ts";
import type { Subject } from "./library.ts";

export interface Effort {
  /** Seconds of timing that one row may take, warm-up apart (a single run may take longer). */
  readonly seconds: number;
  /** Samples a row at most, and at least. */
  readonly most: number;
  readonly least: number;
}

export const defaultEffort: Effort = { seconds: 3, most: 15, least: 3 };

export interface Timing {
  /** Milliseconds of each sample, per run. */
  readonly samples: readonly number[];
  /** The same without transfers, where the library offers it. */
  readonly steady: readonly number[];
  /** Of one run. */
  readonly dispatches: number;
  readonly submits: number;
}

/** A sample should last this long, so that the clock's steps do not count for much, … */
const sampleMilliseconds = 60;
/** … and this many times what a sample costs besides its runs: there is a read-back at its end, which takes milliseconds. */
const fixedShare = 5;
const longestSample = 1000;

interface Runner {
  readonly subject: Subject;
  readonly run: (times: number) => Promise<void>;
  readonly samples: number[];
  /** Runs a sample. */
  times: number;
  spent: number;
}

/**
 * Times all subjects. Each is warmed up first; then, in rounds, each gives one sample, in an order that moves on from
 * round to round.
 * @param breathe called between samples; it may throw to end it all
 */
export async function measure(subjects: readonly Subject[], effort: Effort, breathe: () => Promise<void>): Promise<Timing[]> {
  const counts: { dispatches: number; submits: number }[] = [];
  const runners: Runner[] = [];
  for (const subject of subjects) {
    const started = performance.now();
    counts.push(await countRun(subject));
    const slow = performance.now() - started > 3000;
    await breathe();
    runners.push(await warmUp(subject, (times) => subject.run(times), slow));
    await breathe();
  }
  await rounds(runners, effort, breathe);
  const steady: Runner[] = [];
  for (const subject of subjects) {
    if (subject.steady) steady.push(await warmUp(subject, (times) => subject.steady!(times)));
    await breathe();
  }
  await rounds(steady, { ...effort, seconds: effort.seconds / 2 }, breathe);
  return runners.map(({ subject, samples }, i) => ({ samples, steady: steady.find((other) => other.subject === subject)?.samples ?? [], ...counts[i] }));
}

/** The first run, which is never timed: it may still compile. Also says what a run submits. */
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

/** @param slow what takes seconds is warm after its first run, and one run is a sample */
async function warmUp(subject: Subject, run: (times: number) => Promise<void>, slow = false): Promise<Runner> {
  return { subject, run, samples: [], times: slow ? 1 : await timesPerSample(run), spent: 0 };
}

/** Runs per sample, from what one run and five in a row take. */
async function timesPerSample(run: (times: number) => Promise<void>): Promise<number> {
  const one = await time(() => run(1));
  if (one > 300) return 1;
  const five = await time(() => run(5));
  const each = Math.max((five - one) / 4, 0.002);
  const wanted = Math.max(sampleMilliseconds, fixedShare * Math.max(0, one - each));
  return Math.max(1, Math.min(500, Math.round(Math.min(wanted, longestSample) / each)));
}

async function rounds(runners: readonly Runner[], { seconds, most, least }: Effort, breathe: () => Promise<void>): Promise<void> {
  for (let round = 0; round < most; round++) {
    for (let i = 0; i < runners.length; i++) {
      const runner = runners[(i + round) % runners.length];
      const average = runner.spent / Math.max(1, runner.samples.length);
      if (runner.samples.length >= least && runner.spent + average > 1000 * seconds) continue;
      const took = await time(() => runner.run(runner.times));
      runner.samples.push(took / runner.times);
      runner.spent += took;
      await breathe();
    }
  }
}

async function time(run: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await run();
  return performance.now() - started;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
