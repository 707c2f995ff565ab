// A client of serve.ts. It goes on by itself when the connection or the server is gone for a while.
import { WebSocket } from "ws";

/** A frame that the server may need once more, and who waits for its result. */
interface Sent {
  readonly frame: Float32Array;
  resolve?: (result: Float32Array) => void;
  reject?: (error: Error) => void;
}

/**
 * One stream. Frames are kept until the server has saved a state that knows them. After a new connection, the server says
 * how many frames its saved state knows; all later ones are sent again, and results that came before are dropped.
 */
export class StreamClient {
  private readonly kept: Sent[] = [];
  /** Frames that the saved state knows; `kept` begins after them. */
  private saved = 0;
  /** Frames that have gone out, and results that have come back, on this connection or known from the saved state. */
  private sent = 0;
  private received = 0;
  private socket: WebSocket | undefined;
  private saves = false;
  private ended = false;

  constructor(
    private readonly url: string,
    private readonly id: string,
    /** Frames between two saves: so many are kept, and computed again at most. */
    private readonly saveEvery = 50,
  ) {
    this.connect();
  }

  /** Sends a frame. @returns its result */
  step(frame: Float32Array): Promise<Float32Array> {
    return new Promise((resolve, reject) => {
      if (this.ended) throw new Error("the client is closed");
      this.kept.push({ frame: frame.slice(), resolve, reject });
      this.send();
    });
  }

  close(error = new Error("the client is closed")): void {
    this.ended = true;
    this.socket?.terminate();
    for (const { reject } of this.kept) reject?.(error);
  }

  private connect(): void {
    if (this.ended) return;
    const socket = new WebSocket(`${this.url}?id=${encodeURIComponent(this.id)}`);
    socket.binaryType = "arraybuffer";
    socket.on("message", (data, isBinary) => {
      if (isBinary) this.take(new Float32Array(data as ArrayBuffer));
      else this.hear(socket, JSON.parse(new TextDecoder().decode(data as ArrayBuffer)) as { frames?: number; saved?: number });
      this.send();
    });
    // A failed connection closes too.
    socket.on("error", () => undefined);
    socket.on("close", (code, reason) => {
      this.socket = undefined;
      if (code === 1008) this.close(new Error(reason.toString()));
      else setTimeout(() => this.connect(), 50);
    });
  }

  private hear(socket: WebSocket, { frames, saved }: { frames?: number; saved?: number }): void {
    const known = frames ?? saved!;
    if (known < this.saved) return this.close(new Error(`the server has lost the state after frame ${this.saved}`));
    this.kept.splice(0, known - this.saved);
    this.saved = known;
    this.saves = false;
    if (frames === undefined) return;
    this.socket = socket;
    this.sent = this.received = frames;
  }

  private take(result: Float32Array): void {
    const waiting = this.kept[this.received++ - this.saved];
    waiting.resolve?.(result);
    waiting.resolve = waiting.reject = undefined;
  }

  private send(): void {
    if (!this.socket || this.saves) return;
    const { saved, saveEvery } = this;
    for (; this.sent < saved + Math.min(saveEvery, this.kept.length); this.sent++) this.socket.send(this.kept[this.sent - saved].frame);
    // Only a state whose results have all come back is saved: what is lost with a connection is computed again.
    if (this.received < saved + saveEvery) return;
    this.saves = true;
    this.socket.send("save");
  }
}
