import type { Backend } from "../backend/backend.ts";
import type { TrainingData } from "../data/batch.ts";
import { disposeSymbol } from "../disposable.ts";
import { checkFunction, checkInteger, checkSignal, reading, RnnError, show } from "../errors.ts";
import type { Module } from "../nn/module.ts";
import { hasMethods, takeOptions } from "../options.ts";
import type { MemoryUse } from "../session/memory.ts";
import { Breath } from "../backend/breathe.ts";
import { now } from "../backend/clock.ts";
import { Batches, isLater, isPromise } from "./batches.ts";
import { claim } from "./claims.ts";
import { decodeCheckpoint, encodeCheckpoint } from "./checkpoint.ts";
import { evaluate, type Evaluation } from "./evaluate.ts";
import type { TakenBatch } from "./loss-recorder.ts";
import { Recovery } from "./recovery.ts";
import { takeTrainer, type Progress, type Summary, type TrainerOptions, type TrainOptions } from "./trainer-options.ts";
import type { Pending, Training, TrainingState } from "./training-state.ts";

/** A loop over the steps of a training. */
interface Run {
  /** Whether its end has been asked for. */
  isLeft: boolean;
  ended: Promise<void>;
}

/** Steps in flight before the oldest loss is waited for. The CPU has nothing to hide. */
const depthOf = (backend: Backend): number => (backend.kind === "webgpu" ? 4 : 1);

/** Trains a model by truncated BPTT: one submit a step, with the carried state and the optimiser's on the device. */
export class Trainer {
  private readonly training: Training;
  private readonly data: TrainingData;
  private readonly recovery: Recovery;
  private running: Run | undefined;
  private disposed = false;
  /** Steps that were in flight when a loop was left; the next one tells them first. */
  private untold: Progress[] = [];
  /** All of these that were ever told so: none of them is a step of the run that tells it. */
  private readonly earlier = new WeakSet<Progress>();
  /** What is to be checked with the next batch. */
  private checkFirst: ((batch: TakenBatch) => void) | undefined;

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

  /** What it trains on: another one than it was made with, once that was lost. */
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
   * The steps of a training, one after the other, for a loop that does something between them. **Nothing happens until it
   * is iterated**: `for await (const { step, loss } of trainer.run({ steps }))`; `train` is the same without a loop.
   * Leaving the loop, or `signal`, ends it after the steps in flight. Those that a loop was left with come first in the next.
   * @throws RnnError `numeric` if the loss or the gradient is not finite, naming step and loss. Parameters, the optimiser's
   * state, carried states and running statistics are then those before the update that led there, and so is `step`;
   * parameters are the last ones whose loss was finite. `option` while another loop trains the same
   * parameters. What `data.batch` throws comes after the steps that were made before it.
   */
  run(options: Omit<TrainOptions, "onProgress">): AsyncGenerator<Progress, void, undefined> {
    const { signal, steps } = takeOptions("Trainer", options, ["steps", "signal"], { needed: true });
    checkInteger("Trainer", "steps", steps, 0);
    checkSignal("Trainer", signal);
    const run: Run = { isLeft: false, ended: Promise.resolve() };
    const loop = this.loop(run, steps, signal);
    const leave = loop.return.bind(loop);
    // Known at once, so that the next run waits for this one's last steps instead of being refused.
    loop.return = (value) => {
      run.isLeft = true;
      return leave(value);
    };
    return loop;
  }

  private async *loop(run: Run, steps: number, signal: AbortSignal | undefined): AsyncGenerator<Progress, void, undefined> {
    while (this.running?.isLeft) await this.running.ended;
    this.checkUsable();
    if (this.running) throw new RnnError("option", "Trainer", "is running already; leave the other loop first");
    const giveBack = claim(this.state.session.store.parametersByPath, this);
    this.running = run;
    let end!: () => void;
    run.ended = new Promise((resolve) => (end = resolve));
    const pending: Pending[] = [];
    const settle = this.settling(pending);
    try {
      while (this.untold.length > 0) yield this.untold.shift()!;
      await this.recovery.begin();
      const last = this.step + steps;
      const batches = new Batches(this.data, this.model.batchFirst, this.state.recorder, signal);
      let failure: { readonly error: unknown } | undefined;
      const breath = new Breath();
      breath.begin();
      while (this.step < last && !signal?.aborted) {
        const coming = batches.take(this.step);
        // Of no interest if the loop is left while earlier steps are told.
        coming.catch(() => undefined);
        while (pending.length > 0 && (await isLater(coming, pending[0].downloads))) yield await settle();
        try {
          const batch = await coming;
          if (!batch) break;
          pending.push(await this.submit(batch, batches, last));
        } catch (error) {
          // Told after the steps that went well.
          failure = { error };
          break;
        }
        if (pending.length >= depthOf(this.backend)) yield await settle();
        if (breath.isDue()) await breath.take();
      }
      while (pending.length > 0) yield await settle();
      if (failure) throw failure.error;
    } catch (error) {
      // The steps behind a failed one changed nothing and have nothing to say.
      pending.length = 0;
      throw error;
    } finally {
      // Left early: a failure in a step still in flight must not pass unseen, unless the caller has ended it.
      if (this.disposed || this.backend.ended === "destroyed") pending.length = 0;
      try {
        while (pending.length > 0) {
          const progress = await settle();
          this.earlier.add(progress);
          this.untold.push(progress);
        }
        this.recovery.end();
      } finally {
        this.running = undefined;
        giveBack();
        end();
      }
    }
  }

  /** Takes the results of the oldest step in flight. */
  private settling(pending: Pending[]): () => Promise<Progress> {
    const started = now();
    let tokens = 0;
    let told = this.step;
    return async () => {
      for (;;) {
        const done = pending[0];
        try {
          const progress = await this.recovery.report(done);
          pending.shift();
          told = done.step;
          tokens += done.tokens;
          return { ...progress, tokensPerSecond: (1000 * tokens) / (now() - started) };
        } catch (error) {
          if (!this.recovery.isLost(done.state)) throw error;
          // The same steps, made again elsewhere, and those that were already submitted there.
          const again = await this.recovery.movedFrom(done.state);
          const untold = again.filter(({ step }) => step > told);
          // If there are none, the last one failed.
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

  /** Bytes that a training step takes on the device, for a batch as the data gives it next. Nothing is allocated. */
  async plannedMemory(): Promise<MemoryUse> {
    this.checkUsable();
    const { recorder, optimizer } = this.state;
    const next = this.data.batch(this.step, this.model.batchFirst);
    return recorder.plannedMemory(recorder.take(isPromise(next) ? await next : next), optimizer.nextUpdate());
  }

  /**
   * Loss over `data` (by default the training data) from zero states, with dropout off.
   * @param options.batches how many of its batches (default all)
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
    return this.recovery.living(({ session }) => evaluate(session, { ...this.training, data, batches }));
  }

  /**
   * Everything a resumed run needs, as a safetensors file: parameters by PyTorch name, the optimiser's state under
   * `optimizer.`, carried states under `carried.`, step and seed in the metadata. While a run is going on it is all of
   * one moment, after the step that the file says.
   * @param metadata further text to keep, e.g. the vocabulary
   */
  async checkpoint(metadata: Readonly<Record<string, string>> = {}): Promise<Uint8Array<ArrayBuffer>> {
    this.checkUsable();
    return encodeCheckpoint({
      ...(await this.recovery.living((state) => state.read())),
      seed: this.training.seed,
      optimizerName: this.training.optimizer.name,
      metadata,
    });
  }

  /**
   * Goes back to a checkpoint: the next step is the one that followed it, bit for bit on the same backend.
   * @throws RnnError `format` if the file is truncated, foreign or does not fit, naming the tensor; nothing changes then.
   * Whether carried states fit batches that come as promises is known, and told, when the next run has the first of them
   */
  restore(file: Uint8Array | ArrayBuffer): void {
    this.checkUsable();
    if (this.running) throw new RnnError("option", "Trainer", "is running; leave the loop before restoring");
    const { seed, optimizer } = this.training;
    const { recorder } = this.state;
    const checkpoint = decodeCheckpoint(file, { optimizerName: optimizer.name, seed });
    this.state.optimizer.check(checkpoint.optimizer);
    const check = (batch: TakenBatch): void => recorder.checkCarried(checkpoint.carried, batch, checkpoint.step);
    const next = this.data.batch(checkpoint.step, this.model.batchFirst);
    if (isPromise(next)) next.catch(() => undefined);
    else check(recorder.take(next));
    this.recovery.write(checkpoint);
    this.untold = [];
    this.checkFirst = isPromise(next) ? check : undefined;
  }

  /**
   * Frees what the trainer has on the device (the optimiser's state, carried states, recordings) at once; without it, that
   * is freed some time after nobody holds the trainer any more. The model keeps what it has learnt. A run that is going on
   * is rejected, and so is every later call, with an RnnError `option`.
   */
  dispose(): void {
    this.disposed = true;
    this.recovery.dispose();
  }

  [disposeSymbol](): void {
    this.dispose();
  }

  /** @throws RnnError `option` if it, or its model, has been disposed of */
  private checkUsable(): void {
    if (this.disposed) throw new RnnError("option", "Trainer", "has been disposed of; make a new one");
    this.model.checkUsable();
  }

  private submit(batch: TakenBatch, batches: Batches, last: number): Promise<Pending> {
    const { step } = this;
    this.checkFirst?.(batch);
    this.checkFirst = undefined;
    return this.recovery.submit(batch, () => {
      if (step + 1 < last) batches.ask(step + 1);
    });
  }
}
