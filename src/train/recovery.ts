/** Continues training when its device is lost: from a copy on the host, with the batches since that copy. */
import type { Backend } from "../backend/backend.ts";
import { checkFunction, checkInteger, checkNumber, RnnError, show } from "../errors.ts";
import { takeOptions } from "../options.ts";
import { Part } from "../part.ts";
import { now } from "../backend/clock.ts";
import type { TakenBatch } from "./loss-recorder.ts";
import type { Outcome, Pending } from "./steps-in-flight.ts";
import { ChangedMeanwhile, TrainingState, type Capture, type StepPlan, type Training } from "./training-state.ts";

/** What to do if the device is lost. */
export interface RecoveryOptions {
  /** Seconds between two copies (default 5): about what a lost device costs. */
  seconds?: number;
  /** Most steps between two copies (default: no limit). */
  steps?: number;
  /** Makes the next backend. Default: one like the lost one, on a new device; the CPU backend if there is no device. */
  backend?: (lost: Backend) => Backend | Promise<Backend>;
}

/** How training continued after its device was lost. */
export interface Recovered {
  /** The number of steps in the copy. Later steps were run again, on the same batches. */
  step: number;
  /** Why the device was lost, in words. */
  reason: string;
  /** The adapter that training continues on, in words. */
  backend: string;
}

/** A submitted step, with all that is needed to run it again. */
export interface MadeStep {
  readonly batch: TakenBatch;
  readonly plan: StepPlan;
  readonly bytes: number;
}

const replacing = new Part("recovery", () => import("./replacement.ts"));

/** Most bytes of batches since the last copy. Beyond that, a new copy is made early. */
const mostBytes = 2 ** 25;
/** A run that ends with fewer steps since the last copy makes none. */
const fewSteps = 10;

/**
 * Checks the options of `recovery`; undefined if a lost device ends the training.
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

function bytesOf({ inputs: { input, further, lengths, stepMask }, targets, mask }: TakenBatch): number {
  return [input, targets, mask, stepMask, ...Object.values(further)].reduce(
    (sum, tensor) => sum + (tensor?.data.byteLength ?? 0),
    lengths?.byteLength ?? 0,
  );
}

/** The state of a training on its present backend. On the CPU, which cannot be lost, it keeps no copy. */
export class Recovery {
  /** The training's state on the present backend. */
  state: TrainingState;
  /** The last copy, and the steps since then. */
  copy: Capture | undefined;
  readonly stepsSinceCopy = new Map<number, MadeStep>();
  private bytes = 0;
  private copying: Promise<void> | undefined;
  private copiedAt = 0;
  /** Counts snapshots that were written: a copy that began before one must not take its place. */
  private writes = 0;
  /** The latest replacement of a lost backend, for all callers that used the lost one. */
  private replacement: { readonly from: TrainingState; readonly made: Promise<readonly Pending[]> } | undefined;
  /** Devices lost since the last successful step. */
  losses = 0;
  private unreported: Recovered | undefined;
  /** Outcomes of replayed steps. */
  private readonly outcomes = new WeakMap<Pending, Promise<Outcome>>();
  private disposed = false;

  constructor(
    readonly training: Training,
    backend: Backend,
    readonly options: RecoveryOptions | undefined,
  ) {
    this.state = this.stateOn(backend);
  }

  stateOn(backend: Backend): TrainingState {
    return new TrainingState(this.training, backend);
  }

  /** True if a step could not be submitted because someone else has changed parameters. */
  isAboutChange(error: unknown): boolean {
    return error instanceof ChangedMeanwhile;
  }

  /** Called before a run. */
  begin(): Promise<void> {
    return this.withLiveState(async (state) => {
      await state.begin();
      if (this.isProtected(state) && (!this.copy || state.isChanged)) await this.makeCopy(state);
    });
  }

  /** Submits the next step. @param prepared as for `TrainingState.submit` */
  submit(batch: TakenBatch, prepared: () => void): Promise<Pending> {
    return this.withLiveState(async (state) => {
      const isProtected = this.isProtected(state);
      for (;;) {
        // A replay of batches cannot repeat what someone else has changed.
        while (isProtected && state.isChanged) await this.makeCopy(state);
        const plan = state.plan();
        if (isProtected) {
          if (this.isCopyDue()) this.makeCopy(state).catch(() => undefined);
          this.keepStep(state.step, { batch, plan, bytes: bytesOf(batch) });
        }
        try {
          return await state.submit(batch, prepared, plan, isProtected);
        } catch (error) {
          if (!this.isAboutChange(error)) throw error;
        }
      }
    });
  }

  /** The outcome of a step. @throws RnnError as `TrainingState.report` */
  async report(pending: Pending): Promise<Outcome & { recovered?: Recovered }> {
    const { state } = pending;
    try {
      const outcome = await (this.outcomes.get(pending) ?? state.report(pending));
      this.losses = 0;
      const recovered = this.unreported;
      this.unreported = undefined;
      return recovered ? { ...outcome, recovered } : outcome;
    } catch (error) {
      // Steps have been undone, and the copy may contain some of them.
      if (this.isProtected(state) && !this.isLost(state)) {
        await this.makeCopy(state).catch(() => undefined);
      }
      throw error;
    }
  }

  /** Called after a run. */
  end(): void {
    if (this.isProtected(this.state) && this.stepsSinceCopy.size >= fewSteps && !this.copying)
      this.makeCopy(this.state).catch(() => undefined);
  }

  /** Calls `act` with the present state, and again with the next one if the device is lost meanwhile. */
  async withLiveState<T>(act: (state: TrainingState) => Promise<T>): Promise<T> {
    for (;;) {
      const { state } = this;
      if (!this.isLost(state)) {
        try {
          return await act(state);
        } catch (error) {
          if (!this.isLost(state)) throw error;
        }
      }
      await this.replace(state);
    }
  }

  /** True if this backend is lost and training can continue on another. */
  isLost({ backend }: TrainingState): boolean {
    return this.options !== undefined && !this.disposed && (backend.ended === "lost" || backend.ended === "failed");
  }

  /** Must be called when a snapshot has been written to the present state. @param copy it */
  hasWritten(copy: Capture): void {
    this.writes++;
    this.forget();
    if (this.isProtected(this.state)) this.keepCopy(copy, this.state);
  }

  /**
   * Replaces this backend by another one, in the state after the last step submitted here.
   * @returns the replayed steps
   */
  replace(from: TrainingState): Promise<readonly Pending[]> {
    if (this.replacement?.from !== from) {
      const made = this.makeReplacement(from);
      this.replacement = { from, made };
      // Lets the next call try again.
      made.catch(() => (this.replacement = undefined));
    }
    return this.replacement.made;
  }

  dispose(): void {
    this.disposed = true;
    this.forget();
    this.state.dispose();
  }

  private async makeReplacement(from: TrainingState): Promise<readonly Pending[]> {
    const { Replacement } = await replacing.load();
    const { state, reason, replayed } = await new Replacement(this, from).make();
    if (this.disposed) state.dispose();
    this.state = state;
    from.dispose();
    this.unreported = { step: this.copy?.step ?? 0, reason, backend: state.backend.adapter };
    if (!this.isProtected(state)) this.forget();
    for (const [pending, outcome] of replayed) this.outcomes.set(pending, outcome);
    return [...replayed.keys()];
  }

  private isProtected({ backend }: TrainingState): boolean {
    return this.options !== undefined && backend.kind === "webgpu";
  }

  private isCopyDue(): boolean {
    if (this.copying) return false;
    const { seconds = 5, steps = Infinity } = this.options!;
    return this.stepsSinceCopy.size >= steps || this.bytes > mostBytes || now() - this.copiedAt > 1000 * seconds;
  }

  private makeCopy(state: TrainingState): Promise<void> {
    this.copiedAt = now();
    const before = this.copying;
    const copying = (async () => {
      // A later copy must not be replaced by an earlier one.
      await before?.catch(() => undefined);
      const { writes } = this;
      const copy = await state.capture();
      if (writes !== this.writes) return;
      state.hasCopied(copy);
      if (state === this.state && !this.disposed) this.keepCopy(copy, state);
    })().finally(() => {
      if (this.copying === copying) this.copying = undefined;
    });
    this.copying = copying;
    return copying;
  }

  private keepCopy(copy: Capture, { session: { store } }: TrainingState): void {
    this.copy = copy;
    store.fallback = copy.parameters;
    this.forgetBefore(copy.step);
  }

  private keepStep(step: number, made: MadeStep): void {
    this.bytes += made.bytes - (this.stepsSinceCopy.get(step)?.bytes ?? 0);
    this.stepsSinceCopy.set(step, made);
  }

  private forget(): void {
    this.copy = undefined;
    this.forgetBefore(Infinity);
  }

  private forgetBefore(first: number): void {
    for (const [step, { bytes }] of this.stepsSinceCopy) {
      if (step >= first) continue;
      this.stepsSinceCopy.delete(step);
      this.bytes -= bytes;
    }
  }
}
