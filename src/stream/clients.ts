/** The clients of a batcher: which row of the stream each has, and how long it has been idle. */
import { now } from "../backend/clock.ts";
import { RnnError } from "../errors.ts";
import { encodeSafetensors } from "../io/safetensors.ts";
import type { BatcherOptions } from "./create-batcher.ts";
import type { Stream } from "./cpu-stream.ts";

/** Ids can have more digits than float32. */
export type Frame = Float32Array | Float64Array;

/** A frame that waits for its turn. */
interface Waiting {
  readonly frame: Frame;
  /** Takes the result. */
  readonly into: Float32Array | undefined;
  readonly resolve: (result: Float32Array) => void;
  readonly reject: (reason: unknown) => void;
}

/** One user's stream. */
export interface Client {
  readonly id: string;
  /** Its row of the stream of all. */
  readonly row: number;
  /** Frames computed since the sequence began. */
  frames: number;
  /** When its last frame came, or when its state could last not be read. */
  usedAt: number;
  /** Why its state could not be read when it was to be closed: its next frame says so. */
  problem: Error | undefined;
  /** Its frames, in their order. */
  readonly waiting: Waiting[];
}

export class Clients {
  /** Whose last frame is the longest ago comes first. */
  private readonly byId = new Map<string, Client>();
  private readonly freeRows: number[];

  constructor(
    private readonly stream: Stream,
    private readonly limits: Required<Pick<BatcherOptions, "idleMs">> & Pick<BatcherOptions, "onIdle">,
  ) {
    const { batch } = stream;
    this.freeRows = Array.from({ length: batch }, (_, i) => batch - 1 - i);
  }

  get size(): number {
    return this.byId.size;
  }

  get(id: string): Client | undefined {
    return this.byId.get(id);
  }

  /** Whose last frame is the longest ago comes first. */
  all(): Client[] {
    return [...this.byId.values()];
  }

  /** When the next idle time ends; undefined without clients. */
  get idleAt(): number | undefined {
    const [client] = this.byId.values();
    return client && client.usedAt + this.limits.idleMs;
  }

  /** Gives a new client a row, if need be that of an idle one. @throws RnnError `limit` if there is none */
  open(where: string, id: string): Client {
    if (this.freeRows.length === 0) this.closeIdle();
    const row = this.freeRows.pop();
    if (row === undefined)
      throw new RnnError("limit", where, `there are ${this.size} streams, which is the limit; close some, or give a higher maxStreams`);
    this.stream.reset(row);
    const client: Client = { id, row, frames: 0, usedAt: now(), problem: undefined, waiting: [] };
    this.byId.set(id, client);
    return client;
  }

  /** Its idle time begins. */
  use(client: Client): void {
    this.byId.delete(client.id);
    this.byId.set(client.id, client);
    client.usedAt = now();
  }

  /** Forgets a client and frees its row. */
  remove(client: Client): void {
    this.byId.delete(client.id);
    this.freeRows.push(client.row);
  }

  /** Closes those without a frame for `idleMs`. One whose state cannot be read stays, and is tried again after as long. */
  closeIdle(): void {
    const { onIdle } = this.limits;
    const start = now();
    for (const client of this.byId.values()) {
      // Behind the others come those that were tried.
      if (client.usedAt + this.limits.idleMs > now() || client.usedAt >= start) return;
      if (client.waiting.length > 0) continue;
      let state: Uint8Array<ArrayBuffer> | undefined;
      try {
        state = onIdle && this.stateOf(client);
      } catch (error) {
        client.problem = error as Error;
        this.use(client);
        continue;
      }
      this.remove(client);
      onIdle?.(client.id, state!);
    }
  }

  /** A file for `restore`. */
  stateOf({ row, frames }: Client): Uint8Array<ArrayBuffer> {
    return encodeSafetensors(this.stream.state.read(row), { frames: String(frames) });
  }
}
