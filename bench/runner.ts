/** Runs cases: checks every library against the twins, times those that agree, and tells what happens as it happens. */
import { caseName, flopsOf, type Case } from "./cases.ts";
import { compare } from "./compare.ts";
import { libraryName, type Library, type Subject } from "./library.ts";
import { median, measure, type Effort, type Timing } from "./measure.ts";
import { Problems, type Checked, type Problem } from "./problem.ts";
import type { Absence, Ceiling, Row } from "./report.ts";

export type Event =
  | { readonly kind: "progress"; readonly text: string; readonly done: number; readonly of: number }
  | { readonly kind: "ceiling"; readonly backend: string; readonly ceiling: Ceiling }
  | { readonly kind: "absent"; readonly absence: Absence }
  | { readonly kind: "row"; readonly row: Row };

export interface Plan {
  readonly cases: readonly Case[];
  readonly effort: Effort;
  /** Matched with "library backend cell TxBxIxH mode"; all if undefined. */
  readonly only?: RegExp;
}

export interface RunnerOptions {
  readonly libraries: readonly Library[];
  readonly ceilings: Readonly<Record<string, Ceiling>>;
  readonly signal?: AbortSignal;
  readonly report: (event: Event) => void;
}

/** Thrown between two samples when the run has been stopped. */
export class Stopped extends Error {}

/** Lets messages in; everything else in a run blocks its thread. */
async function breathe(signal: AbortSignal | undefined): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve));
  if (signal?.aborted) throw new Stopped("stopped");
}

interface Admitted {
  readonly library: Library;
  readonly subject: Subject;
  readonly worst: number;
  readonly checkedSteps: number;
}

/** Whether the plan's pattern lets this library do this case. */
export const isWanted = ({ only }: Plan, library: Pick<Library, "name" | "backend">, of: Case): boolean => only?.test(`${libraryName(library)} ${caseName(of)}`) ?? true;

/** Runs all cases of the plan. Resolves when done; rejects with `Stopped` if the signal says so. */
export async function runCases(plan: Plan, { libraries, ceilings, signal, report }: RunnerOptions): Promise<void> {
  const problems = new Problems();
  const wanted = plan.cases.map((of) => ({ of, candidates: libraries.filter((library) => isWanted(plan, library, of)) }));
  const todo = wanted.filter(({ candidates }) => candidates.length > 0);
  for (const [done, { of, candidates }] of todo.entries()) {
    const say = (text: string): void => report({ kind: "progress", text, done, of: todo.length });
    const absent = (kind: Absence["kind"], { name, backend }: Library, reason: string): void => report({ kind: "absent", absence: { library: name, backend, case: caseName(of), kind, reason } });
    const able = candidates.filter((library) => {
      const reason = library.refuses(of);
      if (reason !== undefined) absent("skipped", library, reason);
      return reason === undefined;
    });
    if (able.length === 0) continue;
    say(`${caseName(of)}: asking the twins`);
    await breathe(signal);
    const checked = await problems.of(of);
    const admitted: Admitted[] = [];
    try {
      for (const library of able) {
        await breathe(signal);
        say(`${caseName(of)}: checking ${libraryName(library)}`);
        const result = await admit(library, of, checked);
        if (typeof result === "string") absent("refused", library, result);
        else admitted.push(result);
      }
      say(`${caseName(of)}: timing`);
      const timings = await measure(admitted.map(({ subject }) => subject), plan.effort, () => breathe(signal));
      for (const [i, one] of admitted.entries()) {
        const onGpu = one.library.backend !== "webgpu" || timings[i].dispatches > 0;
        if (onGpu) report({ kind: "row", row: rowOf(of, one, timings[i], ceilings) });
        else absent("refused", one.library, "it dispatched nothing: it computed elsewhere");
      }
    } finally {
      for (const { subject } of admitted) await release(subject);
    }
  }
}

/** Prepares and checks; the reason if it must not be timed. */
async function admit(library: Library, of: Case, { timed, check, checkCase }: Checked): Promise<Admitted | string> {
  let subject: Subject | undefined;
  try {
    subject = await library.prepare(checkCase, check);
    const { worst, problem: difference } = compare(await subject.check(), check.expected, requiredOf(library, of, check));
    if (difference !== undefined) {
      await release(subject);
      return `differs from the twin: ${difference}`;
    }
    if (timed !== check) {
      await release(subject);
      subject = await library.prepare(of, timed);
    }
    return { library, subject, worst, checkedSteps: checkCase.steps };
  } catch (error) {
    if (subject) await release(subject);
    return `failed: ${error instanceof Error ? error.message : String(error)}`.slice(0, 500);
  }
}

/** A library that cannot clean up after itself is no reason to lose the other rows. */
async function release(subject: Subject): Promise<void> {
  try {
    await subject.free();
  } catch (error) {
    console.error(error);
  }
}

function requiredOf(library: Library, of: Case, { expected }: Problem): readonly string[] {
  if (library.required) return library.required(of);
  return of.mode === "forward" ? ["output"] : Object.keys(expected);
}

function rowOf(of: Case, { library, worst, checkedSteps }: Admitted, { samples, steady, dispatches, submits }: Timing, ceilings: Readonly<Record<string, Ceiling>>): Row {
  const { cell, steps, input, hidden, mode } = of;
  const middle = median(samples);
  const gflops = flopsOf(of) / middle / 1e6;
  const ceiling = library.name === "webgpu-rnn" ? ceilings[library.backend] : undefined;
  return {
    library: library.name, ...(library.version ? { version: library.version } : {}), backend: library.backend, adapter: library.adapter,
    // A text is drawn one symbol at a time, in one row.
    cell, steps, batch: mode === "generation" ? 1 : of.batch, input, hidden, mode,
    median_ms: round(middle), min_ms: round(Math.min(...samples)), max_ms: round(Math.max(...samples)), samples: samples.length,
    ...(steady.length > 0 ? { steady_ms: round(median(steady)) } : {}),
    dispatches, submits,
    gflops: round(gflops), ...(ceiling ? { of_matmul: round(gflops / ceiling.gflops) } : {}),
    us_per_step: round((1000 * (steady.length > 0 ? median(steady) : middle)) / steps),
    worst_error: worst, checked_steps: checkedSteps,
  };
}

/** Four significant digits: more than the clock is worth. */
const round = (value: number): number => Number(value.toPrecision(4));
