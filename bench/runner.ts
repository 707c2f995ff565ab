/** Runs cases: checks every library against the twins, times those that agree, and reports progress. */
import { caseName, flopsOf, type Case } from "./cases.ts";
import { compare } from "./compare.ts";
import { libraryName, type Library, type Subject } from "./library.ts";
import { Estimate } from "./estimate.ts";
import { clearAway, median, Timed, type Effort } from "./measure.ts";
import { Problems, type Checked, type Problem } from "./problem.ts";
import type { Absence, Ceiling, Row } from "./report.ts";

export type Event =
  /** The present activity and case, and the number of cases; `left`: seconds until the end of all. */
  | { readonly kind: "progress"; readonly text: string; readonly done: number; readonly of: number; readonly left: number }
  /** A case begins. */
  | { readonly kind: "case"; readonly case: Case }
  | { readonly kind: "ceiling"; readonly backend: string; readonly ceiling: Ceiling }
  | { readonly kind: "absent"; readonly absence: Absence }
  /** A row with the samples so far; the same row comes again with more. `final`: these are all. */
  | { readonly kind: "row"; readonly row: Row; readonly final: boolean };

export interface Plan {
  readonly cases: readonly Case[];
  readonly effort: Effort;
  /** Matched with "library backend cell TxBxIxH mode"; all if undefined. */
  readonly only?: RegExp;
}

export interface RunnerOptions {
  readonly libraries: readonly Library[];
  readonly ceilings: Readonly<Record<string, Ceiling>>;
  /** True if the WebGPU adapter is a software one (default false). */
  readonly software?: boolean;
  readonly signal?: AbortSignal;
  readonly report: (event: Event) => void;
}

/** Thrown between two samples when the run has been stopped. */
export class Stopped extends Error {}

/** Lets messages arrive; everything else in a run blocks its thread. */
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

/** True if the library is for this mode, and the plan's pattern lets it do this case. */
export const isWanted = ({ only }: Plan, library: Pick<Library, "name" | "backend" | "modes">, of: Case): boolean =>
  (library.modes?.includes(of.mode) ?? true) && (only?.test(`${libraryName(library)} ${caseName(of)}`) ?? true);

/** Runs all cases of the plan. Resolves when done; rejects with `Stopped` if the signal says so. */
export async function runCases(plan: Plan, options: RunnerOptions): Promise<void> {
  const { libraries, report } = options;
  const todo: Todo[] = [];
  for (const of of plan.cases) {
    const able: Library[] = [];
    for (const library of libraries.filter((one) => isWanted(plan, one, of))) {
      const reason = library.refuses(of);
      if (reason === undefined) able.push(library);
      else report(absent("skipped", library, of, reason));
    }
    if (able.length > 0) todo.push({ of, able });
  }
  const problems = new Problems();
  const estimate = new Estimate(plan.effort, options.software);
  for (const [done, { of, able }] of todo.entries()) {
    const later = todo.slice(done + 1);
    const say = (text: string, left: number): void => {
      const rest = later.reduce((sum, one) => sum + estimate.of(one.of.mode, one.able.length), 0);
      report({ kind: "progress", text, done, of: todo.length, left: left + rest });
    };
    report({ kind: "case", case: of });
    const started = performance.now();
    await new CaseRun(of, able, plan.effort, options, estimate, say).run(problems);
    estimate.add(of.mode, able.length, (performance.now() - started) / 1000);
  }
}

/** A case and the libraries that can do it. */
interface Todo {
  readonly of: Case;
  readonly able: readonly Library[];
}

const absent = (kind: Absence["kind"], { name, backend }: Library, of: Case, reason: string): Event => ({
  kind: "absent",
  absence: { library: name, backend, case: caseName(of), kind, reason },
});

const words = (error: unknown): string => (error instanceof Error ? error.message : String(error)).slice(0, 500);

/** One case: each library is checked and gives its first sample, then all give further ones in turn. */
class CaseRun {
  private readonly running = new Map<Admitted, Timed>();

  constructor(
    private readonly of: Case,
    private readonly able: readonly Library[],
    private readonly effort: Effort,
    private readonly options: RunnerOptions,
    private readonly estimate: Estimate,
    private readonly say: (text: string, left: number) => void,
  ) {}

  private readonly breathe = (): Promise<void> => breathe(this.options.signal);

  async run(problems: Problems): Promise<void> {
    this.tell("computing what is right", this.able.length);
    await this.breathe();
    const checked = await problems.of(this.of);
    try {
      for (const [i, library] of this.able.entries()) await this.begin(library, i, checked);
      await this.rounds();
      for (const [one, timed] of this.running) this.report(one, timed, true);
    } finally {
      for (const { subject } of this.running.keys()) await release(subject);
    }
  }

  /** Checks a library, and takes its first sample. */
  private async begin(library: Library, index: number, checked: Checked): Promise<void> {
    const which = this.able.length > 1 ? ` (${index + 1} of ${this.able.length})` : "";
    this.tell(`checking ${libraryName(library)}${which}`, this.able.length - index);
    await this.breathe();
    const admitted = await admit(library, this.of, checked);
    if (typeof admitted === "string") return this.options.report(absent("refused", library, this.of, admitted));
    await this.guard(admitted, async () => {
      this.tell(`warming up ${libraryName(library)}${which}`, this.able.length - index);
      const timed = await Timed.start(admitted.subject, this.breathe);
      if (library.backend === "webgpu" && timed.dispatches === 0) throw new Error("it dispatched nothing, so it computed elsewhere");
      this.running.set(admitted, timed);
      this.report(admitted, timed);
    });
  }

  /** Each library gives one sample in every round; the order rotates. */
  private async rounds(): Promise<void> {
    for (let round = 0, taken = true; taken; round++) {
      taken = false;
      const all = [...this.running];
      const before = all.length > 1 ? clearAway : () => Promise.resolve();
      for (let i = 0; i < all.length; i++) {
        const [one, timed] = all[(i + round) % all.length];
        this.tell(all.length > 1 ? "timing all in turn" : `timing ${libraryName(one.library)}`);
        await this.guard(one, async () => {
          if (!(await timed.further(this.effort, before))) return;
          taken = true;
          this.report(one, timed);
          await this.breathe();
        });
      }
    }
  }

  /** A library that fails is absent from then on; the others continue. */
  private async guard(one: Admitted, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.running.delete(one);
      await release(one.subject);
      if (error instanceof Stopped) throw error;
      this.options.report(absent("refused", one.library, this.of, `failed while it was timed: ${words(error)}`));
    }
  }

  /** @param unbegun libraries of this case that have not begun */
  private tell(text: string, unbegun = 0): void {
    const timing = [...this.running.values()].reduce((sum, timed) => sum + timed.left(this.effort), 0) / 1000;
    this.say(text, timing + this.estimate.of(this.of.mode, unbegun));
  }

  private report(one: Admitted, timed: Timed, final = false): void {
    this.options.report({ kind: "row", row: rowOf(this.of, one, timed, this.options.ceilings), final });
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
    return `failed while it was checked: ${words(error)}`;
  }
}

/** If a library cannot clean up, the other rows must not be lost. */
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

function rowOf(
  of: Case,
  { library, worst, checkedSteps }: Admitted,
  { samples, steady, dispatches, submits }: Timed,
  ceilings: Readonly<Record<string, Ceiling>>,
): Row {
  const { cell, steps, batch, input, hidden, layers = 1, mode } = of;
  const middle = median(samples);
  const gflops = flopsOf(of) / middle / 1e6;
  const ceiling = library.name === "webgpu-rnn" ? ceilings[library.backend] : undefined;
  return {
    library: library.name,
    ...(library.version ? { version: library.version } : {}),
    backend: library.backend,
    adapter: library.adapter,
    cell,
    steps,
    batch,
    input,
    hidden,
    ...(layers > 1 ? { layers } : {}),
    mode,
    median_ms: round(middle),
    min_ms: round(Math.min(...samples)),
    max_ms: round(Math.max(...samples)),
    samples: samples.length,
    ...(steady.length > 0 ? { steady_ms: round(median(steady)) } : {}),
    dispatches,
    submits,
    gflops: round(gflops),
    ...(ceiling ? { of_matmul: round(gflops / ceiling.gflops) } : {}),
    us_per_step: round((1000 * (steady.length > 0 ? median(steady) : middle)) / steps),
    worst_error: worst,
    checked_steps: checkedSteps,
  };
}

/** Four significant digits: more than the clock is worth. */
const round = (value: number): number => Number(value.toPrecision(4));
