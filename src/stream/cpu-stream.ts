/** A stream on the CPU: recordings whose states stay, run while the caller waits. */
import type { CpuBackend } from "../backend/cpu/cpu-backend.ts";
import type { CpuBuffer } from "../backend/cpu/cpu-buffer.ts";
import type { CpuProgram } from "../backend/cpu/cpu-program.ts";
import { disposeSymbol } from "../disposable.ts";
import type { Module } from "../nn/module.ts";
import type { View } from "../recording/recording.ts";
import { carriedLabel, type RunContext } from "../session/run-context.ts";
import { Session } from "../session/session.ts";
import { sizeOf, type Shape } from "../tensor/shape.ts";
import type { NumericArray } from "../tensor/tensor.ts";
import { firstStates, type FirstStates } from "./first-states.ts";
import { copyNumbers, StreamState } from "./stream-state.ts";
import { FrameReader } from "./frame-reader.ts";
import { checkInto, disposedError, framePlan, largest, recordFrames, runsTogether, stepSizes } from "./frames.ts";

/** Where a recording keeps a state. */
interface StateBuffer {
  readonly path: string;
  /** [layers, rows, units] */
  readonly shape: Shape;
  readonly buffer: CpuBuffer;
}

/** A recording of some steps of some rows, ready to run. */
interface Ready {
  readonly program: CpuProgram;
  readonly input: View;
  readonly output: View;
  readonly states: readonly StateBuffer[];
  /** The arrays of `input` and `output` at this generation of the memory. */
  generation: number;
  from: NumericArray;
  to: NumericArray;
}

/** Rows of `stepRows` that one recording computes together: the largest that fit come first. */
export const rowSizes = [256, 64, 16, 4, 1];

/**
 * A model that gets one frame at a time. Each row of the batch is a sequence for itself: rows start, end and wait
 * independently, by `stepRows` and `reset(row)`. The results equal those of `forward` over whole sequences bit for bit.
 *
 * After `createStream`, every call is synchronous. `step`, and `stepRows` once it has seen a number of rows, allocate
 * nothing. If the model's parameters change (by training or `loadStateDict`), the next call takes all new ones together;
 * if another device must first give them back, a later call does.
 */
export class Stream {
  /** Rows of a frame. */
  readonly batch: number;
  /** Numbers of one row in a frame; ids count as numbers. */
  readonly inputSize: number;
  /** Numbers of one row in the result of a step. */
  readonly outputSize: number;
  /** The present states. */
  readonly state: StreamState;
  /** The recording of one step of all rows, whose states are the stream's. */
  private readonly one: Ready;
  /** Recordings of several steps of all rows, by number of steps, and of one step of some rows, by number of rows. */
  private readonly longer: Ready[] = [];
  private readonly smaller: Ready[] = [];
  private readonly result: Float32Array;
  /** Those of `stepRows`, by number of rows: parts of `result`. */
  private readonly results: Float32Array[] = [];
  private readonly reader: FrameReader;
  private readonly runsTogether: boolean;
  private fetching = false;
  private problem: Error | undefined;
  private disposed = false;

  private constructor(
    private readonly model: Module,
    private readonly backend: CpuBackend,
    private readonly session: Session,
    context: RunContext,
    private readonly features: Shape,
    batch: number,
    /** What sequences begin with, if not with zeros. */
    private readonly first: FirstStates | undefined,
  ) {
    this.batch = batch;
    this.inputSize = sizeOf(context.input.shape) / batch;
    this.outputSize = sizeOf(context.output.shape) / batch;
    this.runsTogether = runsTogether(model, context.output.shape, batch);
    this.result = new Float32Array(batch * this.outputSize);
    this.reader = new FrameReader(batch, this.inputSize, model.idCount);
    this.one = this.prepare(context);
    const parts = this.one.states.map(({ path, shape, buffer }) => {
      return { path, shape, numbers: () => this.numbersOf(buffer), first: () => this.first?.of(path) };
    });
    this.state = new StreamState(parts, batch);
    this.begin(this.one);
    model.dependants.add(this);
  }

  /** @internal */
  static async create(model: Module, backend: CpuBackend, features: Shape, batch: number): Promise<Stream> {
    model.checkUsable();
    const session = Session.apart(model, backend);
    let first: FirstStates | undefined;
    try {
      const context = await session.record(framePlan(model, features, 1, batch), recordFrames);
      await backend.load(context.recording);
      first = await firstStates(session, backend, framePlan(model, features, 1, 1), context);
      await session.store.inTurn(() => session.store.sync());
      return new Stream(model, backend, session, context, features, batch, first);
    } catch (error) {
      first?.program.free();
      session.dispose();
      throw error;
    }
  }

  /**
   * One step of all rows.
   * @param frame [batch, inputSize] numbers, or ids if the model begins with an Embedding
   * @returns [batch, outputSize] numbers: the same array each time, so read or copy it before the next call
   * @throws RnnError `shape` if the frame has another length, `data` if a number is not finite or an id is unknown; the
   * states stay as they were
   */
  step(frame: ArrayLike<number>): Float32Array {
    const { one, result } = this;
    this.begin(one);
    this.reader.takeFrame(frame, one.from);
    one.program.runNow(this.session.store.moment);
    result.set(one.to);
    return result;
  }

  /**
   * Steps of all rows, one after the other: faster than as many calls of `step`, with the same results. Nothing runs
   * unless all frames are in order.
   * @param frames [steps, batch, inputSize], also of models that are batchFirst
   * @param into takes the results, [steps, batch, outputSize] (default: a new array)
   * @returns `into`
   * @throws RnnError as `step` does
   */
  steps(frames: ArrayLike<number>, into?: Float32Array): Float32Array {
    const { one, reader, batch, outputSize } = this;
    this.begin(one);
    const width = one.from.length;
    const wide = batch * outputSize;
    const count = reader.stepsOf(frames);
    const results = into === undefined ? new Float32Array(count * wide) : checkInto(into, count * wide);
    const taken = reader.takeSteps(frames, count);
    for (let done = 0; done < count;) {
      const some = this.runsTogether ? largest(stepSizes, count - done) : 1;
      const ready = some === 1 ? one : this.several(some);
      this.begin(ready);
      copyNumbers(taken, done * width, ready.from, 0, some * width);
      ready.program.runNow(this.session.store.moment);
      copyNumbers(ready.to, 0, results, done * wide, some * wide);
      done += some;
    }
    return results;
  }

  /**
   * One step of some rows. The states of all other rows stay as they are.
   * @param rows their numbers, each from 0 to batch - 1 and at most once, in any order
   * @param frames [rows.length, inputSize], in the order of `rows`
   * @returns [rows.length, outputSize] in the same order: for each number of rows the same array each time, in the
   * memory of what `step` returns
   * @throws RnnError `option` for a row that there is not or that comes twice, and as `step` does; all states stay as
   * they were
   */
  stepRows(rows: ArrayLike<number>, frames: ArrayLike<number>): Float32Array {
    const { reader } = this;
    this.begin(this.one);
    const count = reader.takeRows(rows);
    return this.stepChecked(reader.rows, reader.takeFramesOfRows(frames, count), count);
  }

  /** `stepRows` of rows and frames that have been checked, and that nobody else changes. @internal */
  stepChecked(rows: ArrayLike<number>, frames: ArrayLike<number>, all = rows.length): Float32Array {
    const { inputSize, outputSize } = this;
    const result = (this.results[all] ??= this.result.subarray(0, all * outputSize));
    for (let done = 0; done < all;) {
      const count = largest(rowSizes, all - done);
      const ready = this.some(count);
      this.begin(ready);
      copyNumbers(frames, done * inputSize, ready.from, 0, count * inputSize);
      this.exchange(ready, rows, done, count, true);
      ready.program.runNow(this.session.store.moment);
      this.exchange(ready, rows, done, count, false);
      copyNumbers(ready.to, 0, result, done * outputSize, count * outputSize);
      done += count;
    }
    return result;
  }

  /** Sets the states of a row, or of all rows, to those that `forward` begins with: the next frame is the first of a sequence. */
  reset(row?: number): void {
    if (this.first) this.begin(this.one);
    else this.checkFreed();
    this.state.reset(row);
  }

  /** What `forward` gives for `frames` [steps, batch, inputSize]. @internal */
  async whole(frames: Float32Array): Promise<NumericArray> {
    const steps = frames.length / this.batch / this.inputSize;
    const context = this.record(steps, this.batch, "zero");
    await this.backend.load(context.recording);
    const ready = this.prepare(context, []);
    try {
      this.begin(ready);
      ready.from.set(frames);
      ready.program.runNow(this.session.store.moment);
      return ready.to.slice();
    } finally {
      ready.program.free();
    }
  }

  /** Frees its memory at once. Without this call, it is freed some time after nobody holds the stream any more. */
  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    // `flat` leaves out the numbers for which there is none.
    this.first?.program.free();
    for (const { program, states } of [[this.one], this.longer, this.smaller].flat()) {
      program.free();
      for (const { buffer } of states) this.backend.free(buffer);
    }
    this.session.dispose();
  }

  [disposeSymbol](): void {
    this.dispose();
  }

  /** Before a run: takes changed parameters, and finds the arrays again if the memory has grown. */
  private begin(ready: Ready): void {
    this.checkFreed();
    const { store } = this.session;
    if (this.problem !== undefined) {
      const { problem } = this;
      this.problem = undefined;
      throw problem;
    }
    if (store.isStale && !this.fetching && !store.syncNow()) this.fetch();
    const before = this.first?.take(store.moment);
    if (before) this.state.startAnew(before);
    const generation = ready.program.ready();
    if (generation === ready.generation) return;
    ready.generation = generation;
    ready.from = ready.program.arrayOf(ready.input);
    ready.to = ready.program.arrayOf(ready.output);
  }

  /** Takes the parameters when the turns that go on are over, or when a device has given them back. */
  private fetch(): void {
    const { store } = this.session;
    this.fetching = true;
    store
      .inTurn(() => store.sync())
      .catch((error: unknown) => {
        if (!this.disposed) this.problem = error as Error;
      })
      .finally(() => (this.fetching = false));
  }

  /** The recording of several steps of all rows; made when it is first needed. */
  private several(steps: number): Ready {
    return (this.longer[steps] ??= this.prepare(this.record(steps, this.batch), this.one.states));
  }

  /** The recording of one step of some rows, which has states of its own; made when it is first needed. */
  private some(rows: number): Ready {
    return (this.smaller[rows] ??= this.prepare(this.record(1, rows)));
  }

  private record(steps: number, rows: number, kind: "carried" | "zero" = "carried"): RunContext {
    return this.session.recordNow({ ...framePlan(this.model, this.features, steps, rows), states: { kind } }, recordFrames);
  }

  /** @param states where they are (default: in new memory) */
  private prepare(context: RunContext, states: readonly StateBuffer[] = this.statesFor(context)): Ready {
    const byLabel = new Map(states.map(({ path, buffer }) => [carriedLabel(path), buffer]));
    const memory = this.session.memoryOf(context, (label) => byLabel.get(label)!);
    const program = this.backend.prepareNow(context.recording, memory);
    const [input, output] = [context.input.view, context.output.view];
    const generation = program.ready();
    return { program, input, output, states, generation, from: program.arrayOf(input), to: program.arrayOf(output) };
  }

  private statesFor({ states, externals }: RunContext): StateBuffer[] {
    return [...states].map(([path, { shape }]) => {
      const { label, length } = externals.get(carriedLabel(path))!.buffer;
      return { path, shape, buffer: this.backend.createBuffer(label, "f32", length) };
    });
  }

  /** Copies the states of `count` rows from `done` on into those of a recording, or back. */
  private exchange({ states }: Ready, rows: ArrayLike<number>, done: number, count: number, isIn: boolean): void {
    const { batch, one } = this;
    for (let s = 0; s < states.length; s++) {
      const inner = this.numbersOf(states[s].buffer);
      const whole = this.numbersOf(one.states[s].buffer);
      const layers = states[s].shape[0];
      const length = whole.length / layers / batch;
      for (let layer = 0; layer < layers; layer++)
        for (let i = 0; i < count; i++) {
          const outside = (layer * batch + rows[done + i]) * length;
          const inside = (layer * count + i) * length;
          if (isIn) copyNumbers(whole, outside, inner, inside, length);
          else copyNumbers(inner, inside, whole, outside, length);
        }
    }
  }

  private numbersOf(buffer: CpuBuffer): Float32Array {
    this.checkFreed();
    return buffer.array as Float32Array;
  }

  private checkFreed(): void {
    if (this.disposed) throw disposedError();
  }
}
