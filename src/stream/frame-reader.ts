/** What callers give a stream: it is read once and checked before anything runs. */
import { checkInteger, reasonOf, RnnError, show } from "../errors.ts";
import { checkLength, newFrames, takeFrames, type FrameRules } from "./frames.ts";

/**
 * Reads rows and frames into memory of its own, so that results may be written where the frames are. It allocates only
 * when a call is longer than all before.
 */
export class FrameReader {
  /** The rows that the last call named; valid for as many as `takeRows` has said. */
  readonly rows: Uint32Array;
  /** For each row, the call that named it last. */
  private readonly named: Float64Array;
  private calls = 0;
  /** Whether it reads now: getters and Proxies run code of the caller's meanwhile. */
  reads = false;
  /** The frames of the last call; grows to the longest one. */
  private frames: Float32Array | Float64Array;
  private readonly step: FrameRules;
  private readonly steps: FrameRules;
  private readonly stepRows: FrameRules;

  /** @param ids number of ids, if the frames are ids */
  constructor(
    private readonly batch: number,
    private readonly inputSize: number,
    ids: number | undefined,
  ) {
    this.rows = new Uint32Array(batch);
    this.named = new Float64Array(batch);
    this.frames = newFrames(ids, batch * inputSize);
    const rulesOf = (call: string): FrameRules => ({ where: `stream.${call}`, inputSize, ids });
    this.step = rulesOf("step");
    this.steps = rulesOf("steps");
    this.stepRows = rulesOf("stepRows");
  }

  /** Reads the frame of `step`. @throws RnnError `shape`, `data` */
  takeFrame(frame: ArrayLike<number>): Float32Array | Float64Array {
    return this.take(this.step, frame, this.lengthOf(this.step, frame, this.batch * this.inputSize));
  }

  /** How many steps of all rows the frames of `steps` are. @throws RnnError `shape` */
  stepsOf(frames: ArrayLike<number>): number {
    const width = this.batch * this.inputSize;
    return this.lengthOf(this.steps, frames, width, true) / width;
  }

  /** Reads the frames of `count` steps. @throws RnnError `data` */
  takeSteps(frames: ArrayLike<number>, count: number): Float32Array | Float64Array {
    return this.take(this.steps, frames, count * this.batch * this.inputSize);
  }

  /** Reads the frames of `stepRows`, of `count` rows. @throws RnnError `shape`, `data` */
  takeFramesOfRows(frames: ArrayLike<number>, count: number): Float32Array | Float64Array {
    return this.take(this.stepRows, frames, this.lengthOf(this.stepRows, frames, count * this.inputSize));
  }

  /** Copies the numbers of rows into `rows`. @returns how many there are @throws RnnError `option` */
  takeRows(given: ArrayLike<number>): number {
    const { batch, named, rows } = this;
    const { where } = this.stepRows;
    this.reads = true;
    try {
      const count = typeof given === "object" && given !== null ? given.length : 0;
      if (!(Number.isInteger(count) && count >= 1 && count <= batch))
        throw new RnnError("option", where, `rows must be a list of 1 to ${batch} rows, got ${show(given)}`);
      this.calls++;
      for (let i = 0; i < count; i++) {
        const row = checkInteger(where, "each of rows", given[i], 0, batch - 1);
        if (named[row] === this.calls) throw new RnnError("option", where, `rows must name each row once, got ${row} twice`);
        named[row] = this.calls;
        rows[i] = row;
      }
      return count;
    } catch (cause) {
      if (cause instanceof RnnError) throw cause;
      throw new RnnError("option", where, `rows could not be read: ${reasonOf(cause)}`, { cause });
    } finally {
      this.reads = false;
    }
  }

  /** Into memory of its own: a getter may let others' grow. */
  private take(rules: FrameRules, frames: ArrayLike<number>, length: number): Float32Array | Float64Array {
    if (this.frames.length < length) this.frames = newFrames(rules.ids, length);
    this.reads = true;
    try {
      takeFrames(rules, frames, 0, length, this.frames);
    } finally {
      this.reads = false;
    }
    return this.frames;
  }

  private lengthOf(rules: FrameRules, frames: ArrayLike<number>, length: number, multiple?: boolean): number {
    this.reads = true;
    try {
      return checkLength(rules, frames, length, multiple);
    } finally {
      this.reads = false;
    }
  }
}
