/** Many streams of one model: frames that come at the same time are computed together. */
import { breathe } from "../backend/breathe.ts";
import { now } from "../backend/clock.ts";
import { disposeSymbol } from "../disposable.ts";
import { RnnError, show } from "../errors.ts";
import { decodeSafetensors } from "../io/safetensors.ts";
import type { Module } from "../nn/module.ts";
import { Clients, type Client, type Frame } from "./clients.ts";
import type { Stream } from "./cpu-stream.ts";
import { rowSizes } from "./executor.ts";
import type { BatcherOptions } from "./create-batcher.ts";
import { checkInto, checkLength, newFrames, takeFrames, type FrameRules } from "./frames.ts";
import { printed, printSymbol } from "./printed.ts";

type Limits = Required<Pick<BatcherOptions, "maxBatch" | "maxWaitMs" | "maxWaiting" | "idleMs">> & Pick<BatcherOptions, "onIdle">;

/**
 * The streams of many users, each known by an id of the app's choosing. A stream begins with the first frame of a new
 * id. Each has a row of one `Stream`, where its states stay between its frames.
 *
 * Batches run in turns of the event loop of their own, never inside of a call, so that sockets are served between them.
 * A batch takes one frame of each of up to `maxBatch` streams, those that have waited longest first; who sends faster
 * than others takes nothing from them.
 */
export class Batcher {
  /** Numbers of a frame; ids count as numbers. */
  readonly inputSize: number;
  /** Numbers of a result. */
  readonly outputSize: number;
  private readonly clients: Clients;
  /** Those with frames that wait, in the order of their turns. */
  private ready: Client[] = [];
  /** When the next batch runs, even if it is not full. */
  private due = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private breathes = false;
  private readonly frameRules: FrameRules;
  /** The frames of a batch. */
  private readonly batchFrames: Frame;
  /** Arrays for frames that wait. */
  private readonly spare: Frame[] = [];
  private disposed = false;

  /** @internal */
  constructor(
    private readonly stream: Stream,
    model: Module,
    private readonly limits: Limits,
  ) {
    const { inputSize, outputSize } = stream;
    this.inputSize = inputSize;
    this.outputSize = outputSize;
    this.clients = new Clients(stream, limits);
    this.frameRules = { where: "batcher.step", inputSize, ids: model.idCount };
    this.batchFrames = newFrames(model.idCount, limits.maxBatch * inputSize);
    // What a batch of any size needs is made now: later, no batch can fail after some of its rows have had their step.
    for (const rows of rowSizes.filter((size) => size <= limits.maxBatch))
      stream.stepRows(
        Array.from({ length: rows }, (_, i) => i),
        this.batchFrames.subarray(0, rows * inputSize),
      );
    stream.reset();
    model.dependants.add(this);
  }

  /**
   * The next frame of a stream. Frames of one stream are computed in the order of the calls. A frame that is refused is
   * as if it had not come.
   * @param frame `inputSize` numbers, or ids if the model begins with an Embedding; the caller may reuse the array at once
   * @param into takes the `outputSize` numbers of the result when the promise resolves, not before; each frame that waits
   * needs one of its own (default: a new array, which takes longer to make than to fill)
   * @returns `into`, or a new array if that has been transferred meanwhile
   * @throws RnnError `shape` or `data` for a wrong frame or `into`; `limit` if `maxWaiting` frames of this stream wait, or a new
   * stream would be more than `maxStreams`; `option` if the stream is closed before the frame's turn
   */
  step(id: string, frame: ArrayLike<number>, into?: Float32Array): Promise<Float32Array> {
    // What is thrown inside refuses the promise.
    return new Promise((resolve, reject) => {
      const where = "batcher.step";
      this.check(where, id);
      if (into !== undefined) checkInto(into, this.outputSize, where);
      const taken = this.spare.pop() ?? newFrames(this.frameRules.ids, this.inputSize);
      takeFrames(this.frameRules, frame, 0, checkLength(this.frameRules, frame, taken.length), taken);
      const client = this.clients.get(id) ?? this.clients.open(where, id);
      const { problem } = client;
      client.problem = undefined;
      if (problem !== undefined) throw problem;
      if (client.waiting.length >= this.limits.maxWaiting)
        throw new RnnError(
          "limit",
          where,
          `${client.waiting.length} frames of stream ${show(id)} wait, which is the limit; wait for results before further frames, or give a higher maxWaiting`,
        );
      this.clients.use(client);
      if (client.waiting.push({ frame: taken, into, resolve, reject }) === 1) this.takeTurn(client);
    });
  }

  /** Ids of all streams; the one whose last frame is the longest ago comes first. */
  ids(): string[] {
    return this.clients.all().map(({ id }) => id);
  }

  /** How many frames of a stream have been computed since its sequence began; 0 if there is no such stream. */
  frames(id: string): number {
    this.check("batcher.frames", id);
    return this.clients.get(id)?.frames ?? 0;
  }

  /**
   * The state of a stream after all results that it has given, as a file for `restore`: safetensors with one tensor for
   * each state, and `frames` in the metadata. Undefined if there is no such stream.
   */
  state(id: string): Uint8Array<ArrayBuffer> | undefined {
    this.check("batcher.state", id);
    const client = this.clients.get(id);
    return client && this.clients.stateOf(client);
  }

  /**
   * Begins a stream with the state that `state` gave, in this process or an earlier one, or replaces the state of the
   * stream that there is. Frames of it that wait are computed from this state.
   * @returns how many frames led to this state
   * @throws RnnError `format` if the bytes are damaged, `shape` if they belong to another model, `limit` as `step` does;
   * nothing has changed then
   */
  restore(id: string, state: Uint8Array | ArrayBuffer): number {
    const where = "batcher.restore";
    this.check(where, id);
    const { tensors, metadata } = decodeSafetensors(state);
    const frames = /^\d+$/.test(metadata.frames ?? "") ? Number(metadata.frames) : NaN;
    if (!Number.isSafeInteger(frames))
      throw new RnnError(
        "format",
        where,
        `state must come from batcher.state, got a file whose metadata.frames is ${show(metadata.frames)}`,
      );
    const known = this.clients.get(id);
    const client = known ?? this.clients.open(where, id);
    try {
      this.stream.state.write(tensors, client.row);
    } catch (error) {
      if (!known) this.clients.remove(client);
      throw error;
    }
    client.frames = frames;
    client.problem = undefined;
    if (this.ready.length === 0) this.schedule();
    return frames;
  }

  /**
   * Ends a stream and forgets its state. Its frames that wait are refused; the same id may begin anew at once.
   * @returns false if there is no such stream
   */
  close(id: string): boolean {
    this.check("batcher.close", id);
    const client = this.clients.get(id);
    if (client) this.drop(client, "was closed");
    return client !== undefined;
  }

  /** Ends all streams, refuses the frames that wait, and frees the memory. */
  dispose(): void {
    if (this.disposed) return;
    for (const client of this.clients.all()) this.drop(client, "ended, because the batcher or its model has been disposed of,");
    this.disposed = true;
    clearTimeout(this.timer);
    this.stream.dispose();
  }

  [disposeSymbol](): void {
    this.dispose();
  }

  /** @internal */
  [printSymbol](): string {
    const { inputSize, outputSize } = this;
    return printed("Batcher", { inputSize, outputSize, streams: this.clients.size, waiting: this.ready.length });
  }

  private check(where: string, id: string): void {
    if (this.disposed) throw new RnnError("option", where, "the batcher has been disposed of, or its model has; create a new one");
    if (typeof id !== "string") throw new RnnError("option", where, `id must be a text, got ${show(id)}`);
  }

  private drop(client: Client, why: string): void {
    this.clients.remove(client);
    if (client.waiting.length === 0) return;
    this.ready = this.ready.filter((one) => one !== client);
    refuse(client, new RnnError("option", "batcher.step", `stream ${show(client.id)} ${why} before the frame's turn`));
  }

  /** Must be called when a stream without frames that wait has got one. */
  private takeTurn(client: Client): void {
    const { maxBatch, maxWaitMs } = this.limits;
    const length = this.ready.push(client);
    if (length === 1) this.due = client.usedAt + maxWaitMs;
    if (length === 1 || length === maxBatch) this.schedule();
  }

  /** Sets the timer to what comes next: a batch, or the end of a stream's idle time. */
  private schedule(): void {
    clearTimeout(this.timer);
    if (this.ready.length > 0) {
      const wait = this.ready.length >= this.limits.maxBatch ? 0 : this.due - now();
      if (wait <= 0) void this.wakeSoon();
      else this.timer = setTimeout(() => this.wake(), wait);
      return;
    }
    const { idleAt } = this.clients;
    if (idleAt === undefined) return;
    this.timer = setTimeout(() => this.wake(), idleAt - now());
    // Streams that nobody uses do not keep a program of Node running.
    (this.timer as { unref?: () => void }).unref?.();
  }

  private async wakeSoon(): Promise<void> {
    if (this.breathes) return;
    this.breathes = true;
    await breathe();
    this.breathes = false;
    this.wake();
  }

  /** May be called at any time: does what is due. */
  private wake(): void {
    if (this.disposed) return;
    try {
      if (this.ready.length >= this.limits.maxBatch || (this.ready.length > 0 && now() >= this.due)) this.runBatch();
      this.clients.closeIdle();
    } finally {
      this.schedule();
    }
  }

  private runBatch(): void {
    const { stream, inputSize, outputSize, batchFrames } = this;
    const batch = this.ready.splice(0, this.limits.maxBatch);
    for (let i = 0; i < batch.length; i++) batchFrames.set(batch[i].waiting[0].frame, i * inputSize);
    try {
      const rows = batch.map(({ row }) => row);
      const results = stream.stepChecked(rows, batchFrames.subarray(0, batch.length * inputSize));
      for (let i = 0; i < batch.length; i++) {
        const { frame, into, resolve } = batch[i].waiting.shift()!;
        batch[i].frames++;
        this.spare.push(frame);
        // The length is 0 once the array has been transferred.
        const result = into?.length === outputSize ? into : new Float32Array(outputSize);
        result.set(results.subarray(i * outputSize, (i + 1) * outputSize));
        resolve(result);
      }
    } catch (error) {
      // Later frames of these streams are refused too: their results would be those of a sequence with a hole.
      for (const client of batch) refuse(client, error);
    }
    for (const client of batch) if (client.waiting.length > 0) this.ready.push(client);
    // What is left has waited during this batch.
    this.due = now();
  }
}

/** Refuses all frames of a stream that wait. */
function refuse({ waiting }: Client, error: unknown): void {
  for (const { reject } of waiting.splice(0)) reject(error);
}
