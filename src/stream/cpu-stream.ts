/** A stream on the CPU: steps whose states stay, run while the caller waits. */
import { disposeSymbol } from "../disposable.ts";
import { RnnError } from "../errors.ts";
import type { FloatArray, NumericArray } from "../tensor/tensor.ts";
import { rowSizes, type Executor, type Ready, type StateMemory } from "./executor.ts";
import { FrameReader } from "./frame-reader.ts";
import { checkInto, disposedError, largest, stepSizes } from "./frames.ts";
import { printed, printSymbol } from "./printed.ts";
import { copyNumbers, StreamState } from "./stream-state.ts";

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
  private readonly result: Float32Array;
  /** Those of `stepRows`, by number of rows: parts of `result`. */
  private readonly results: Float32Array[] = [];
  private readonly reader: FrameReader;
  /** All memory of the states, where it is WebAssembly's. */
  private memory: Float32Array | undefined;
  private disposed = false;

  /** @internal */
  constructor(private readonly executor: Executor) {
    const { batch, inputSize, outputSize, ids, one } = executor;
    this.batch = batch;
    this.inputSize = inputSize;
    this.outputSize = outputSize;
    this.result = new Float32Array(batch * outputSize);
    this.reader = new FrameReader(batch, inputSize, ids);
    const parts = one.states.map((state) => {
      const { path, shape } = state;
      return { path, shape, numbers: () => this.numbersOf(state), first: () => executor.firstOf(path) };
    });
    this.state = new StreamState(parts, batch);
    this.begin(one);
  }

  /**
   * One step of all rows.
   * @param frame [batch, inputSize] numbers, or ids if the model begins with an Embedding
   * @returns [batch, outputSize] numbers: the same array each time, so read or copy it before the next call
   * @throws RnnError `shape` if the frame has another length, `data` if a number is not finite or an id is unknown; the
   * states stay as they were
   */
  step(frame: ArrayLike<number>): Float32Array {
    const { result } = this;
    const { one } = this.executor;
    this.begin(one);
    const taken = this.reader.takeFrame(frame);
    // Reading may have run code of the caller's.
    this.begin(one);
    copyNumbers(taken, 0, one.from, 0, one.from.length);
    one.run();
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
    const { executor, reader, batch, outputSize } = this;
    const { one } = executor;
    this.begin(one);
    const width = one.from.length;
    const wide = batch * outputSize;
    const count = reader.stepsOf(frames);
    const taken = reader.takeSteps(frames, count);
    // Reading may have run code of the caller's, which can transfer an array.
    const results = into === undefined ? new Float32Array(count * wide) : checkInto(into, count * wide);
    for (let done = 0; done < count;) {
      const some = executor.runsTogether ? largest(stepSizes, count - done) : 1;
      const ready = some === 1 ? one : executor.several(some);
      this.begin(ready);
      copyNumbers(taken, done * width, ready.from, 0, some * width);
      ready.run();
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
    this.begin(this.executor.one);
    const count = reader.takeRows(rows);
    return this.stepChecked(reader.rows, reader.takeFramesOfRows(frames, count), count);
  }

  /** `stepRows` of rows and frames that have been checked, and that nobody else changes. @internal */
  stepChecked(rows: ArrayLike<number>, frames: ArrayLike<number>, all = rows.length): Float32Array {
    const { inputSize, outputSize } = this;
    const result = (this.results[all] ??= this.result.subarray(0, all * outputSize));
    for (let done = 0; done < all;) {
      const count = largest(rowSizes, all - done);
      const ready = this.executor.some(count);
      this.begin(ready);
      copyNumbers(frames, done * inputSize, ready.from, 0, count * inputSize);
      this.exchange(ready, rows, done, count, true);
      ready.run();
      this.exchange(ready, rows, done, count, false);
      copyNumbers(ready.to, 0, result, done * outputSize, count * outputSize);
      done += count;
    }
    return result;
  }

  /** Sets the states of a row, or of all rows, to those that `forward` begins with: the next frame is the first of a sequence. */
  reset(row?: number): void {
    this.begin(this.executor.one);
    this.state.reset(row);
  }

  /** Frees its memory at once. Without this call, it is freed some time after nobody holds the stream any more. */
  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.executor.free();
  }

  [disposeSymbol](): void {
    this.dispose();
  }

  /** @internal */
  [printSymbol](): string {
    const { batch, inputSize, outputSize } = this;
    return printed("Stream", { batch, inputSize, outputSize });
  }

  /** Before a run: takes changed parameters. */
  private begin(ready: Ready): void {
    this.checkFreed();
    if (this.reader.reads) throw new RnnError("option", "stream", "cannot be called by a frame that it reads: by a getter, say");
    const before = this.executor.begin(ready);
    if (before) this.state.startAnew(before);
  }

  /** Copies the states of `count` rows from `done` on into those of a recording, or back. */
  private exchange({ states }: Ready, rows: ArrayLike<number>, done: number, count: number, isIn: boolean): void {
    const { batch } = this;
    const { one } = this.executor;
    for (let s = 0; s < states.length; s++) {
      const inner = states[s].buffer.array;
      const whole = one.states[s].buffer.array;
      const layers = states[s].shape[0];
      const length = whole.length / layers / batch;
      for (let layer = 0; layer < layers; layer++)
        for (let i = 0; i < count; i++) {
          const outside = (layer * batch + rows[done + i]) * length;
          const inside = (layer * count + i) * length;
          if (isIn) this.move(whole, outside, inner, inside, length);
          else this.move(inner, inside, whole, outside, length);
        }
    }
  }

  /** Copies within WebAssembly's memory at once, which takes less time than a loop, and without garbage. */
  private move(from: NumericArray, fromAt: number, to: NumericArray, toAt: number, length: number): void {
    const { buffer, byteOffset } = from;
    // Other arrays have a buffer each.
    if (buffer !== to.buffer) return copyNumbers(from, fromAt, to, toAt, length);
    if (this.memory?.buffer !== buffer) this.memory = new Float32Array(buffer);
    const first = byteOffset / 4 + fromAt;
    this.memory.copyWithin(to.byteOffset / 4 + toAt, first, first + length);
  }

  private numbersOf({ path, buffer }: StateMemory): FloatArray {
    this.checkFreed();
    // Rows that have not begun have the first states of the present parameters. Others need no backend any more.
    if (this.executor.firstOf(path)) this.begin(this.executor.one);
    return buffer.array as FloatArray;
  }

  private checkFreed(): void {
    if (this.disposed) throw disposedError();
  }
}
