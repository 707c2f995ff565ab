import type { Backend } from "../backend/backend.ts";
import type { TrainingData } from "../data/batch.ts";
import { disposeSymbol } from "../disposable.ts";
import { checkFunction, checkInteger, reading, RnnError, show } from "../errors.ts";
import { checkSignal } from "../session/signal.ts";
import type { Module } from "../nn/module.ts";
import { hasMethods, takeEntries, takeOptions } from "../options.ts";
import { Part } from "../part.ts";
import { takeBytes } from "../io/bytes.ts";
import { CarriedStates } from "../session/carried-states.ts";
import type { MemoryUse } from "../session/memory.ts";
import { Breath } from "../backend/breathe.ts";
import { now } from "../backend/clock.ts";
import { Batches, isLater, isPromise } from "./batches.ts";
import { claim } from "./claims.ts";
import type { Evaluation } from "./evaluate.ts";
import { LossRecorder, type TakenBatch } from "./loss-recorder.ts";
import { Recovery } from "./recovery.ts";
import type { Pending } from "./steps-in-flight.ts";
import { takeTrainer, type Progress, type Summary, type TrainerOptions, type TrainOptions } from "./trainer-options.ts";
import type { Training, TrainingState } from "./training-state.ts";

/** A loop over the steps of a training. */
interface Run {
  /** True once the caller has left the loop. */
  isLeft: boolean;
  ended: Promise<void>;
}

const checkpoints = new Part("checkpoint", () => import("./restore.ts"));
const planning = new Part("plannedMemory", () => import("./planned-step.ts"));
const evaluation = new Part("evaluate", () => import("./evaluate.ts"));

/** Most steps in flight. On the CPU one, because there is no read-back latency to hide. */
const depthOf = (backend: Backend): number => (backend.kind === "webgpu" ? 4 : 1);

/**
 * Trains a model by truncated BPTT. Each step is one submit; carried states and the optimiser's state stay on the
 * device.
 */
export class Trainer {
  private readonly training: Training;
  private readonly data: TrainingData;
  private readonly recovery: Recovery;
  /** Held weakly: a loop that was left without a word ends when it is collected, as its claim does. */
  private latest: WeakRef<Run> | undefined;
  private disposed = false;
  /** Steps that were in flight when a loop was left. The next loop reports them first. */
  private unreported: Progress[] = [];
  /** All steps that were ever reported by a later loop; `train` does not count them as its own. */
  private readonly earlier = new WeakSet<Progress>();

  /** @throws RnnError `option` if an option is missing, unknown or out of range */
  constructor(
    readonly model: Module,
    given: TrainerOptions,
  ) {
    const { data, backend, training, recovery } = takeTrainer(model, given);
    this.data = data;
    this.training = training;
    this.recovery = new Recovery(training, backend, recovery);
    model.dependants.add(this);
  }

  /** Training steps submitted so far. */
  get step(): number {
    return this.state.step;
  }

  private get state(): TrainingState {
    return this.recovery.state;
  }

  /** The present backend. It is another one than at the start if that one was lost. */
  get backend(): Backend {
    return this.state.backend;
  }

  /**
   * Trains for `steps` more steps and resolves when they are done.
   * @example const { losses } = await trainer.train({ steps: 1000, onProgress: ({ step, loss }) => console.log(step, loss) });
   * @throws RnnError as `run`
   */
  async train(options: TrainOptions): Promise<Summary> {
    const { onProgress, ...rest } = takeOptions("Trainer", options, ["steps", "signal", "onProgress"], { needed: true });
    if (onProgress !== undefined) checkFunction("Trainer", "onProgress", onProgress);
    const started = now();
    const losses: number[] = [];
    let tokensPerSecond = 0;
    for await (const progress of this.run(rest)) {
      if (!this.earlier.has(progress)) losses.push(progress.loss);
      tokensPerSecond = progress.tokensPerSecond;
      await onProgress?.(progress);
    }
    return { steps: losses.length, losses, seconds: (now() - started) / 1000, tokensPerSecond };
  }

  /**
   * Trains step by step, for a loop that does something between the steps. **Nothing happens until it is iterated**:
   * `for await (const { step, loss } of trainer.run({ steps }))`; `train` is the same without a loop.
   * Leaving the loop, or `signal`, ends it after the steps in flight. The next loop yields those steps first.
   * @throws RnnError `numeric` if the loss or the gradient is not finite, naming step and loss. Parameters, the optimiser's
   * state, carried states, running statistics and `step` are then those before the update that caused it, and the
   * parameters are the last ones whose loss was finite. `option` while another loop trains the same parameters. An
   * error from `data.batch` is thrown after the steps before it were reported.
   */
  run(options: Omit<TrainOptions, "onProgress">): AsyncGenerator<Progress, void, undefined> {
    const { signal, steps } = takeOptions("Trainer", options, ["steps", "signal"], { needed: true });
    checkInteger("Trainer", "steps", steps, 0);
    checkSignal("Trainer", signal);
    const run: Run = { isLeft: false, ended: Promise.resolve() };
    const loop = this.loop(run, steps, signal);
    const leave = loop.return.bind(loop);
    // Set at once, so that the next run waits for the last steps of this one instead of being refused.
    loop.return = (value) => {
      run.isLeft = true;
      return leave(value);
    };
    return loop;
  }

  private async *loop(run: Run, steps: number, signal: AbortSignal | undefined): AsyncGenerator<Progress, void, undefined> {
    for (let before = this.running; before?.isLeft; before = this.running) await before.ended;
    this.checkUsable();
    if (this.running) throw new RnnError("option", "Trainer", "is running already; leave the other loop first");
    const giveBack = claim(this.state.session.store.parametersByPath);
    this.latest = new WeakRef(run);
    let end!: () => void;
    run.ended = new Promise((resolve) => (end = resolve));
    const pending: Pending[] = [];
    const settle = this.settling(pending);
    try {
      while (this.unreported.length > 0) yield this.unreported.shift()!;
      await this.recovery.begin();
      const last = this.step + steps;
      const batches = new Batches(this.data, this.model.batchFirst, this.state.recorder, signal);
      let failure: { readonly error: unknown } | undefined;
      const breath = new Breath();
      breath.begin();
      while (this.step < last && !signal?.aborted) {
        const coming = batches.take(this.step);
        // Nobody needs this batch if the loop is left while earlier steps are reported.
        coming.catch(() => undefined);
        while (pending.length > 0 && (await isLater(coming, pending[0].downloads))) yield await settle();
        try {
          const batch = await coming;
          if (!batch) break;
          pending.push(await this.submit(batch, batches, last));
        } catch (error) {
          // Thrown after the successful steps were reported.
          failure = { error };
          break;
        }
        if (pending.length >= depthOf(this.backend)) yield await settle();
        if (breath.isDue()) await breath.take();
      }
      while (pending.length > 0) yield await settle();
      if (failure) throw failure.error;
    } catch (error) {
      // The steps behind a failed one changed nothing, so they are not reported.
      pending.length = 0;
      throw error;
    } finally {
      // If the loop was left early, a failure in a step in flight must still be thrown, unless the caller has disposed
      // of the trainer or destroyed the backend.
      if (this.disposed || this.backend.ended === "destroyed") pending.length = 0;
      try {
        while (pending.length > 0) {
          const progress = await settle();
          this.earlier.add(progress);
          this.unreported.push(progress);
        }
        this.recovery.end();
      } finally {
        this.finish(run);
        giveBack();
        end();
      }
    }
  }

  /** Returns a function that awaits the oldest step in flight and returns its results. */
  private settling(pending: Pending[]): () => Promise<Progress> {
    const started = now();
    let tokens = 0;
    let lastReported = this.step;
    return async () => {
      for (;;) {
        const done = pending[0];
        try {
          const progress = await this.recovery.report(done);
          pending.shift();
          lastReported = done.step;
          tokens += done.tokens;
          return { ...progress, tokensPerSecond: (1000 * tokens) / (now() - started) };
        } catch (error) {
          if (!this.recovery.isLost(done.state)) throw error;
          // Replace these steps by their replayed versions, and keep those that were already submitted to the new
          // backend.
          const again = await this.recovery.replace(done.state);
          const untold = again.filter(({ step }) => step > lastReported);
          // If all of them were reported already, the last one must have failed.
          pending.splice(
            0,
            Infinity,
            ...(untold.length > 0 ? untold : again.slice(-1)),
            ...pending.filter(({ state }) => state !== done.state),
          );
        }
      }
    };
  }

  /** Bytes that a training step takes on the device, for the next batch of the data. Nothing is allocated. */
  async plannedMemory(): Promise<MemoryUse> {
    this.checkUsable();
    const { state } = this;
    const next = this.data.batch(this.step, this.model.batchFirst);
    // At once, if it is there: the caller may write into it afterwards.
    const batch = state.recorder.take(isPromise(next) ? await next : next);
    const update = state.optimizer.nextUpdate();
    const { plannedStep } = await planning.load();
    return plannedStep(state, batch, update);
  }

  /**
   * Computes the loss over `data` (by default the training data) from zero states, with dropout off.
   * @param options.batches the number of batches to use (default all)
   */
  async evaluate(data: TrainingData = this.data, given: { batches?: number } = {}): Promise<Evaluation> {
    const options = takeOptions("evaluate", given, ["batches"]);
    if (!hasMethods(data, "batch"))
      throw new RnnError("option", "evaluate", `data must come from TextData.from or have a function batch(step), got ${show(data)}`);
    this.checkUsable();
    const there = checkInteger(
      "evaluate",
      "the data's number of batches",
      reading("data", "evaluate", "data", () => data.batches),
      1,
    );
    const batches = Math.min(there, checkInteger("evaluate", "batches", options.batches ?? there, 1));
    const { evaluate } = await evaluation.load();
    this.checkUsable();
    const { loss, carryState, seed } = this.training;
    return this.recovery.withLiveState(({ session }) => {
      const carried = new CarriedStates(session.backend);
      const recorder = new LossRecorder(session, loss, carried, carryState && data.carriesState !== false);
      const source = new Batches(data, this.model.batchFirst, recorder);
      return evaluate({ session, recorder, carried, source, batches, reduction: loss.reduction, seed });
    });
  }

  /**
   * Everything a resumed run needs, as a safetensors file: parameters by PyTorch name, the optimiser's state under
   * `optimizer.`, carried states under `carried.`, step and seed in the metadata. During a run, all of it is from one
   * moment, after the step that the file names.
   * @param metadata further text to save, e.g. the vocabulary
   */
  async checkpoint(metadata: Readonly<Record<string, string>> = {}): Promise<Uint8Array<ArrayBuffer>> {
    this.checkUsable();
    const texts = Object.fromEntries(takeEntries("checkpoint", "metadata", "texts", metadata)) as Record<string, string>;
    const state = await this.recovery.withLiveState((live) => live.read());
    const { encodeCheckpoint } = await checkpoints.load();
    return encodeCheckpoint({ ...state, seed: this.training.seed, optimizerName: this.training.optimizer.name, metadata: texts });
  }

  /**
   * Restores a checkpoint. The next step equals the one that followed it, bit for bit on the same backend. A loop that
   * begins meanwhile waits.
   * @throws RnnError `format` if the file is truncated, foreign or does not fit, naming the tensor; nothing changes then
   */
  async restore(file: Uint8Array | ArrayBuffer): Promise<void> {
    this.checkUsable();
    if (this.running)
      throw new RnnError("option", "Trainer", "is running or restoring; leave the loop, or await what restores, before restoring");
    const restoring = this.readAndWrite(file);
    const run: Run = { isLeft: true, ended: restoring.catch(() => undefined) };
    this.latest = new WeakRef(run);
    try {
      await restoring;
    } finally {
      this.finish(run);
    }
  }

  private get running(): Run | undefined {
    return this.latest?.deref();
  }

  private finish(run: Run): void {
    if (this.running === run) this.latest = undefined;
  }

  private async readAndWrite(given: Uint8Array | ArrayBuffer): Promise<void> {
    // The caller may write into it while the code is loaded.
    const file = takeBytes(given);
    const { restore } = await checkpoints.load();
    await restore(file, this.recovery, {
      batchOf: (step) => this.data.batch(step, this.model.batchFirst),
      checkUsable: () => this.checkUsable(),
    });
    this.unreported = [];
  }

  /**
   * Frees the trainer's memory on the device (the optimiser's state, carried states, recordings) at once. Without this
   * call, it is freed some time after nobody holds the trainer any more. The model keeps what it has learnt. A run in
   * progress is rejected, and so is every later call, with an RnnError `option`.
   */
  dispose(): void {
    this.disposed = true;
    this.recovery.dispose();
  }

  [disposeSymbol](): void {
    this.dispose();
  }

  /** @throws RnnError `option` if the trainer or its model has been disposed of */
  private checkUsable(): void {
    if (this.disposed) throw new RnnError("option", "Trainer", "has been disposed of; make a new one");
    this.model.checkUsable();
  }

  private submit(batch: TakenBatch, batches: Batches, last: number): Promise<Pending> {
    const { step } = this;
    return this.recovery.submit(batch, () => {
      if (step + 1 < last) batches.ask(step + 1);
    });
  }
}
