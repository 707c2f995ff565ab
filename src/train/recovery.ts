/** Goes on with a training when its device is lost: from a copy on the host, by the batches that came since. */
import type { Backend } from "../backend/backend.ts";
import { replaceBackend } from "../backend/create-backend.ts";
import { checkFunction, checkInteger, checkNumber, RnnError, show } from "../errors.ts";
import { takeOptions } from "../options.ts";
import { Breath } from "../backend/breathe.ts";
import { now } from "../backend/clock.ts";
import { checkBackend } from "../session/session.ts";
import type { TakenBatch } from "./loss-recorder.ts";
import { TrainingState, type Capture, type Moment, type Outcome, type Pending, type StepPlan, type Training } from "./training-state.ts";

/** How a training outlives its device. */
export interface RecoveryOptions {
  /** Seconds from one copy to the next (default 5): about what a lost device costs. */
  seconds?: number;
  /** Steps from one copy to the next, at most (default: no limit). */
  steps?: number;
  /** Makes the next backend (default: one like the one that was lost, on a new device, or the CPU's if none comes). */
  backend?: (lost: Backend) => Backend | Promise<Backend>;
}

/** How a training has gone on after its device was lost. */
export interface Recovered {
  /** Steps of the copy that it went on from; those after it were made again, on the same batches. */
  step: number;
  /** What happened to the device, in words. */
  reason: string;
  /** What it goes on with, in words. */
  backend: string;
}

/** What a step was made of. */
interface Kept {
  readonly batch: TakenBatch;
  readonly plan: StepPlan;
  readonly bytes: number;
}

/** Bytes of batches that are kept before a copy makes them superfluous, even if it is early. */
const mostBytes = 2 ** 25;
/** A run that ends after fewer steps is not worth a copy. */
const fewSteps = 10;
/** Steps in flight when they are made again. */
const depth = 4;
/** Devices lost without one step in between until the CPU takes over. */
const mostLosses = 2;

/**
 * The options of `recovery`, checked; undefined if a lost device ends the training.
 * @throws RnnError `option` if one is unknown or out of range
 */
export function takeRecovery(given: unknown): RecoveryOptions | undefined {
  if (given === false) return undefined;
  if (given !== undefined && typeof given !== "object")
    throw new RnnError("option", "Trainer", `recovery must be false or an object, got ${show(given)}`);
  const options = takeOptions("recovery", given as RecoveryOptions | undefined, ["seconds", "steps", "backend"]);
  if (options.seconds !== undefined) checkNumber("recovery", "seconds", options.seconds, { least: 0 });
  if (options.steps !== undefined) checkInteger("recovery", "steps", options.steps, 1);
  if (options.backend !== undefined) checkFunction("recovery", "backend", options.backend);
  return options;
}

function bytesOf({ inputs: { input, further, lengths }, targets, mask }: TakenBatch): number {
  return [input, targets, mask, ...Object.values(further)].reduce(
    (sum, tensor) => sum + (tensor?.data.byteLength ?? 0),
    lengths?.byteLength ?? 0,
  );
}

/** A training on the backend of the moment. On the CPU, which nobody loses, it keeps nothing. */
export class Recovery {
  /** What the training has on that backend. */
  state: TrainingState;
  /** What it goes on from if that is lost, and the steps since then. */
  private copy: Capture | undefined;
  private readonly kept = new Map<number, Kept>();
  private bytes = 0;
  private copying: Promise<void> | undefined;
  private copiedAt = 0;
  /** The latest move to another backend, of which all hear who used the one before. */
  private move: { readonly from: TrainingState; readonly made: Promise<readonly Pending[]> } | undefined;
  /** Devices lost since a step went well. */
  private losses = 0;
  private untold: Recovered | undefined;
  /** Of steps that were made again. */
  private readonly outcomes = new WeakMap<Pending, Promise<Outcome>>();
  private disposed = false;

  constructor(
    private readonly training: Training,
    backend: Backend,
    private readonly options: RecoveryOptions | undefined,
  ) {
    this.state = new TrainingState(training, backend);
  }

  /** Before a run. */
  begin(): Promise<void> {
    return this.living(async (state) => {
      await state.begin();
      if (this.keeps(state) && (!this.copy || state.isChanged)) await this.makeCopy(state);
    });
  }

  /** Submits the next step. @param prepared as for `TrainingState.submit` */
  submit(batch: TakenBatch, prepared: () => void): Promise<Pending> {
    return this.living((state) => {
      const plan = state.plan();
      if (this.keeps(state)) {
        if (this.isDue(state)) this.makeCopy(state).catch(() => undefined);
        this.keep(state.step, { batch, plan, bytes: bytesOf(batch) });
      }
      return state.submit(batch, prepared, plan);
    });
  }

  /** The outcome of a step. @throws RnnError as `TrainingState.report` */
  async report(pending: Pending): Promise<Outcome & { recovered?: Recovered }> {
    const { state } = pending;
    try {
      const outcome = await (this.outcomes.get(pending) ?? state.report(pending));
      this.losses = 0;
      const recovered = this.untold;
      this.untold = undefined;
      return recovered ? { ...outcome, recovered } : outcome;
    } catch (error) {
      // Steps have been undone, perhaps some that are in the copy.
      if (this.keeps(state) && !this.isLost(state)) {
        await this.copying?.catch(() => undefined);
        await this.makeCopy(state).catch(() => undefined);
      }
      throw error;
    }
  }

  /** After a run. */
  end(): void {
    if (this.keeps(this.state) && this.kept.size >= fewSteps && !this.copying) this.makeCopy(this.state).catch(() => undefined);
  }

  /** Does something on the backend of the moment, and once more on the next one if that is lost meanwhile. */
  async living<T>(act: (state: TrainingState) => Promise<T>): Promise<T> {
    for (;;) {
      const { state } = this;
      if (!this.isLost(state)) {
        try {
          return await act(state);
        } catch (error) {
          if (!this.isLost(state)) throw error;
        }
      }
      await this.movedFrom(state);
    }
  }

  /** Whether this backend is gone, and the training goes on without it. */
  isLost({ backend }: TrainingState): boolean {
    return this.options !== undefined && !this.disposed && (backend.ended === "lost" || backend.ended === "failed");
  }

  /** Goes on from there. */
  write(moment: Parameters<TrainingState["write"]>[0]): void {
    if (!this.isLost(this.state)) this.state.write(moment);
    else this.state.writeHost(moment);
    this.forget();
    if (this.keeps(this.state)) this.copy = { step: moment.step, parameters: undefined, moment: () => moment as Moment };
  }

  /**
   * Puts another backend in the place of this one, as it was after the last step there.
   * @returns the steps that were made again for that
   */
  movedFrom(from: TrainingState): Promise<readonly Pending[]> {
    if (this.move?.from !== from) {
      const made = this.moveFrom(from);
      this.move = { from, made };
      // The next call may try again.
      made.catch(() => (this.move = undefined));
    }
    return this.move.made;
  }

  dispose(): void {
    this.disposed = true;
    this.forget();
    this.state.dispose();
  }

  private async moveFrom(from: TrainingState): Promise<readonly Pending[]> {
    const reason = endOf(from.backend);
    if (!this.copy && from.step > 0) throw reason;
    const own = await from.session.store.changedElsewhere();
    for (let lost = from.backend; ;) {
      const backend = await this.next(lost);
      const state = new TrainingState(this.training, backend);
      try {
        const pending = await this.makeAgain(from.step, state);
        for (const [parameter, values] of own) parameter.set(values);
        if (this.disposed) state.dispose();
        this.state = state;
        from.dispose();
        this.untold = { step: this.copy?.step ?? 0, reason: reason.message, backend: backend.adapter };
        if (!this.keeps(state)) this.forget();
        return pending;
      } catch (error) {
        if (!this.isLost(state)) throw error;
        lost = backend;
      }
    }
  }

  private async next(lost: Backend): Promise<Backend> {
    this.losses++;
    const { backend } = this.options!;
    if (!backend) return replaceBackend(lost, this.losses < mostLosses);
    if (this.losses > mostLosses) throw endOf(lost);
    const next = await backend(lost);
    checkBackend(next);
    next.check();
    return next;
  }

  /** From the copy up to so many steps. */
  private async makeAgain(steps: number, state: TrainingState): Promise<readonly Pending[]> {
    if (!this.copy) return [];
    state.write(this.copy.moment());
    await state.begin();
    const made: Pending[] = [];
    const inFlight: Pending[] = [];
    /** Reports the oldest step. @returns whether it went well */
    const settle = async (): Promise<boolean> => {
      const pending = inFlight.shift()!;
      const outcome = state.report(pending);
      made.push(pending);
      this.outcomes.set(pending, outcome);
      try {
        await outcome;
        return true;
      } catch (error) {
        // A loss that is not finite is told by whoever waits for that step.
        if (this.isLost(state)) throw error;
        return false;
      }
    };
    const breath = new Breath();
    breath.begin();
    while (state.step < steps) {
      const { batch, plan } = this.kept.get(state.step)!;
      inFlight.push(await state.submit(batch, () => undefined, plan));
      if (inFlight.length >= depth && !(await settle())) return made;
      if (breath.isDue()) await breath.take();
    }
    while (inFlight.length > 0 && (await settle()));
    return made;
  }

  private keeps({ backend }: TrainingState): boolean {
    return this.options !== undefined && backend.kind === "webgpu";
  }

  private isDue(state: TrainingState): boolean {
    if (this.copying) return false;
    const { seconds = 5, steps = Infinity } = this.options!;
    return state.isChanged || this.kept.size >= steps || this.bytes > mostBytes || now() - this.copiedAt > 1000 * seconds;
  }

  private makeCopy(state: TrainingState): Promise<void> {
    this.copiedAt = now();
    const copying = state
      .capture()
      .then((copy) => {
        if (state !== this.state || this.disposed) return;
        this.copy = copy;
        state.session.store.fallback = copy.parameters;
        this.forgetBefore(copy.step);
      })
      .finally(() => {
        if (this.copying === copying) this.copying = undefined;
      });
    this.copying = copying;
    return copying;
  }

  private keep(step: number, kept: Kept): void {
    this.bytes += kept.bytes - (this.kept.get(step)?.bytes ?? 0);
    this.kept.set(step, kept);
  }

  private forget(): void {
    this.copy = undefined;
    this.forgetBefore(Infinity);
  }

  private forgetBefore(first: number): void {
    for (const [step, { bytes }] of this.kept) {
      if (step >= first) continue;
      this.kept.delete(step);
      this.bytes -= bytes;
    }
  }
}

/** Why a backend does not work any more. */
function endOf(backend: Backend): RnnError {
  try {
    backend.check();
  } catch (error) {
    return error as RnnError;
  }
  return new RnnError("device", "Trainer", "the device is gone");
}
