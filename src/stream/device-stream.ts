/** A stream on a device: its states and packed weights stay there, and results come later. */
import type { Backend, Program, RunResult } from "../backend/backend.ts";
import { disposeSymbol } from "../disposable.ts";
import type { Module } from "../nn/module.ts";
import type { Reading } from "../session/reading.ts";
import type { RunContext } from "../session/run-context.ts";
import { Session } from "../session/session.ts";
import { sizeOf, type Shape } from "../tensor/shape.ts";
import type { NumericArray } from "../tensor/tensor.ts";
import { checkedStream } from "./check-steps.ts";
import { DeviceFirstStates } from "./device-first-states.ts";
import { DeviceRecordings } from "./device-recordings.ts";
import { DeviceState } from "./device-state.ts";
import { FrameReader } from "./frame-reader.ts";
import { checkLength, disposedError, featuresOf, joined, largest, runsTogether, stepSizes, takeFrames, type FrameRules } from "./frames.ts";
import { printed, printSymbol } from "./printed.ts";
import { readingNow } from "./reading-now.ts";

/** A stream on a device. @throws RnnError as `createStream` does */
export async function deviceStreamOf(model: Module, backend: Backend, given: number | undefined, batch: number): Promise<DeviceStream> {
  const where = "createStream";
  const features = featuresOf(where, model, given);
  // Another stream is checked, whose recording of several steps is freed at once: wide weights have only one packed copy.
  const made = await checkedStream(where, model, batch, false, async (rows) => {
    const stream = await DeviceStream.create(model, backend, features, rows);
    return { stream, whole: (frames: Float32Array) => stream.whole(frames) };
  });
  return made.stream;
}

/**
 * A model on a device that gets one frame at a time. Each row of the batch is a sequence for itself. Results equal those
 * of `forward` over whole sequences on this backend, up to rounding.
 *
 * Calls are carried out in their order, and the next one need not wait for the result of the last: some eight frames can
 * be on their way, further ones wait on this side. If a call fails, those that were made meanwhile fail with it, so that
 * no sequence gets a hole. If the model's parameters change, calls from then on take all new ones together.
 */
export class DeviceStream {
  /** Rows of a frame. */
  readonly batch: number;
  /** Numbers of one row in a frame; ids count as numbers. */
  readonly inputSize: number;
  /** Numbers of one row in the result of a step. */
  readonly outputSize: number;
  /** The states after all steps that have been called. */
  readonly state: DeviceState;
  /** The end of the latest call's turn: its commands have been submitted. */
  private latest: Promise<unknown> = Promise.resolve();
  private readonly runsTogether: boolean;
  private readonly ids: number | undefined;
  private readonly reader: FrameReader;
  private readonly session: Session;
  private disposed = false;

  private constructor(
    private readonly recordings: DeviceRecordings,
    { input, output, states }: RunContext,
    /** What sequences begin with, if not with zeros. */
    private readonly first: DeviceFirstStates | undefined,
  ) {
    const { session, batch } = recordings;
    const { model } = session;
    this.session = session;
    this.batch = batch;
    this.inputSize = sizeOf(input.shape) / batch;
    this.outputSize = sizeOf(output.shape) / batch;
    this.runsTogether = runsTogether(model, output.shape, batch);
    this.ids = model.idCount;
    this.reader = new FrameReader(batch, this.inputSize, this.ids);
    const parts = [...states].map(([path, { shape }]) => ({ path, shape, buffer: recordings.memoryOf(path) }));
    this.state = new DeviceState(session.backend, parts, batch, (act) => this.inOrder(act), first);
    model.dependants.add(this);
  }

  /** @internal */
  static async create(model: Module, backend: Backend, features: Shape, batch: number): Promise<DeviceStream> {
    const recordings = new DeviceRecordings(Session.of(model, backend), features, batch);
    try {
      const { context } = await recordings.of(1);
      const first = context.givesStates ? new DeviceFirstStates(recordings.session, await recordings.of("first states"), batch) : undefined;
      return new DeviceStream(recordings, context, first);
    } catch (error) {
      recordings.free();
      throw error;
    }
  }

  /**
   * One step of all rows.
   * @param frame [batch, inputSize] numbers, or ids if the model begins with an Embedding; it is read at once
   * @returns [batch, outputSize] numbers, in an array of their own
   * @throws RnnError `shape` if the frame has another length, `data` if a number is not finite or an id is unknown; then
   * the frame is as if it had not come. `device` if the device is lost
   */
  async step(frame: ArrayLike<number>): Promise<Float32Array> {
    return this.compute("stream.step", frame, false);
  }

  /**
   * Steps of all rows, one after the other: faster than as many calls of `step`. Nothing runs unless all frames are in
   * order.
   * @param frames [steps, batch, inputSize], also of models that are batchFirst; they are read at once
   * @returns [steps, batch, outputSize], in an array of their own
   * @throws RnnError as `step` does
   */
  async steps(frames: ArrayLike<number>): Promise<Float32Array> {
    return this.compute("stream.steps", frames, true);
  }

  /**
   * One step of some rows. The states of all other rows stay as they are.
   * @param rows their numbers, each from 0 to batch - 1 and at most once, in any order
   * @param frames [rows.length, inputSize], in the order of `rows`; both are read at once
   * @returns [rows.length, outputSize] in the same order, in an array of their own
   * @throws RnnError `option` for a row that there is not or that comes twice, and as `step` does
   */
  async stepRows(rows: ArrayLike<number>, frames: ArrayLike<number>): Promise<Float32Array> {
    this.checkFreed();
    const { reader, batch, inputSize, outputSize } = this;
    const count = reader.takeRows(rows);
    const taken = reader.takeFramesOfRows(frames, count);
    const named = [...reader.rows.subarray(0, count)];
    const input = this.newInput(batch * inputSize);
    const lengths = new Uint32Array(batch);
    named.forEach((row, i) => {
      input.set(taken.subarray(i * inputSize, (i + 1) * inputSize), row * inputSize);
      lengths[row] = 1;
    });
    const [all] = await this.resultsOf(async (reading) => {
      const { program } = await this.recordings.of("some rows");
      return this.runAll([{ program, inputs: { input, lengths } }], reading, named);
    });
    return joined(named.map((row) => all.subarray(row * outputSize, (row + 1) * outputSize)));
  }

  /** What `forward` gives for `frames` [steps, batch, inputSize]. @internal */
  async whole(frames: Float32Array): Promise<NumericArray> {
    const { program } = await this.recordings.whole(frames.length / this.batch / this.inputSize);
    try {
      const { downloads } = await this.session.run(program, { input: this.ids === undefined ? frames : Uint32Array.from(frames) });
      return (await downloads).output;
    } finally {
      program.free();
    }
  }

  /** Sets the states of a row, or of all rows, to those that `forward` begins with: the next frame is the first of a sequence. */
  async reset(row?: number): Promise<void> {
    await this.state.reset(row);
  }

  /** Frees its memory at once; calls whose results are on their way are refused. */
  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.recordings.free();
  }

  [disposeSymbol](): void {
    this.dispose();
  }

  /** @internal */
  [printSymbol](): string {
    const { batch, inputSize, outputSize } = this;
    return printed("DeviceStream", { batch, inputSize, outputSize });
  }

  private async compute(where: string, frames: ArrayLike<number>, multiple: boolean): Promise<Float32Array> {
    this.checkFreed();
    const rules: FrameRules = { where, inputSize: this.inputSize, ids: this.ids };
    const width = this.batch * this.inputSize;
    const length = checkLength(rules, frames, width, multiple);
    const taken = this.newInput(length);
    takeFrames(rules, frames, 0, length, taken);
    const parts = await this.resultsOf((reading) => this.submit(taken, width, reading));
    return parts.length === 1 ? parts[0] : joined(parts);
  }

  private newInput(length: number): Float32Array | Uint32Array {
    return this.ids === undefined ? new Float32Array(length) : new Uint32Array(length);
  }

  /** The results of what `submit` runs when its turn comes. */
  private async resultsOf(submit: (reading: Reading) => Promise<RunResult[]>): Promise<Float32Array[]> {
    const runs = await this.inOrder(submit);
    try {
      const results = await Promise.all(runs.map(({ downloads }) => downloads));
      return results.map(({ output }) => output as Float32Array);
    } catch (error) {
      throw this.reasonOf(error);
    }
  }

  /** Submits steps in as few runs as possible. */
  private async submit(taken: NumericArray, width: number, reading: Reading): Promise<RunResult[]> {
    const count = taken.length / width;
    const sizes: number[] = [];
    for (let left = count; left > 0;) {
      const size = this.runsTogether ? largest(stepSizes, left) : 1;
      sizes.push(size);
      left -= size;
    }
    // All are prepared before the first one runs.
    const prepared = await Promise.all(sizes.map((steps) => this.recordings.of(steps)));
    let done = 0;
    const runs = prepared.map(({ program }, i) => {
      const input = taken.subarray(done * width, (done + sizes[i]) * width);
      done += sizes[i];
      return { program, inputs: { input } };
    });
    return this.runAll(runs, reading);
  }

  /** @param rows that go on (default: all) */
  private async runAll(
    runs: readonly { program: Program; inputs: Readonly<Record<string, NumericArray>> }[],
    reading: Reading,
    rows?: readonly number[],
  ): Promise<RunResult[]> {
    const { session, first } = this;
    await first?.fill(reading);
    first?.unmark(rows);
    const results: RunResult[] = [];
    for (const { program, inputs } of runs) results.push(await session.run(program, inputs, { reading }));
    return results;
  }

  /** Runs `act` when the turns of earlier calls are over, unless one of them fails. It gets the parameters of this moment. */
  private inOrder<T>(act: (reading: Reading) => T | Promise<T>): Promise<T> {
    const reading = readingNow(this.session.store);
    const turn = this.latest.then(async () => {
      this.checkFreed();
      try {
        return await act(reading);
      } catch (error) {
        throw this.reasonOf(error);
      }
    });
    this.latest = turn;
    // What is called once the failure is known begins anew.
    turn
      .catch(() => {
        if (this.latest === turn) this.latest = Promise.resolve();
      })
      .finally(() => reading.close());
    return turn;
  }

  /** Whatever failed because the memory is gone, the reason is that the stream has been disposed of. */
  private reasonOf(error: unknown): unknown {
    return this.disposed ? disposedError() : error;
  }

  private checkFreed(): void {
    if (this.disposed) throw disposedError();
  }
}
