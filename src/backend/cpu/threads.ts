/** Splits the rows of a kernel among threads. Each has an instance of the kernels over the same memory. */
import { startThread } from "#thread";
import { RnnError } from "../../errors.ts";
import { inTurn, piecesOf, type Call, type CallsOf, type Pieces, type Workforce } from "./calls.ts";
import type { WasmExports } from "./wasm-code.ts";
import { wasmParts, type WasmKernels } from "./wasm-kernels.ts";

/**
 * A thread's mailbox, in 32-bit words: number of the last request (-1: the thread must end), number of the last answer
 * (-1: it failed), number of calls, then each call: place of the kernel's name among all, number of arguments, arguments.
 */
const boxWords = 3 + 256 * 24;

/** How often a thread checks for an answer or a request before it sleeps: some ten microseconds. */
const looks = 20_000;

/**
 * The program of a thread, as text, because a bundle has no separate file for it. It checks for a while before it
 * sleeps, because the next request often comes soon.
 */
const source = `async function work({ modules, memory, scratch, box: at, names }, ready) {
  const instances = await Promise.all(modules.map((module) => WebAssembly.instantiate(module, { env: { memory, scratch, log: Math.log, pow: Math.pow } })));
  const exports = Object.assign({}, ...instances.map(({ exports }) => exports));
  const box = new Int32Array(memory.buffer, at, ${boxWords});
  const calls = names.map((name) => exports[name]);
  ready();
  for (let seen = 0; ; ) {
    for (let i = 0; i < ${looks} && Atomics.load(box, 0) === seen; i++);
    // A thread may have answered and sleep again before it is told of the request that it has just answered.
    while (Atomics.load(box, 0) === seen) Atomics.wait(box, 0, seen);
    seen = Atomics.load(box, 0);
    if (seen === -1) return;
    try {
      for (let i = box[2], at = 3; i > 0; i--) {
        const start = at + 2, end = start + box[at + 1];
        calls[box[at]](...box.subarray(start, end));
        at = end;
      }
      Atomics.store(box, 1, seen);
    } catch {
      Atomics.store(box, 1, -1);
    }
    Atomics.notify(box, 1);
  }
}
`;

export function notShared(): RnnError {
  const problem =
    'threads need SharedArrayBuffer, which a page has only when its server sends the headers "Cross-Origin-Opener-Policy: same-origin" and "Cross-Origin-Embedder-Policy: require-corp"';
  return new RnnError("device", "CpuBackend", `${problem}; send both, or use threads: 1`);
}

export const withoutKernels = (reason: string): RnnError =>
  new RnnError("device", "CpuBackend", `threads need the WebAssembly kernels, but ${reason}; use threads: 1`);

interface Thread {
  readonly box: Int32Array;
  readonly end: () => unknown;
}

function endAll(others: readonly Thread[]): void {
  for (const { box, end } of others) {
    // Wake it: Chromium waits two seconds before it ends a sleeping thread.
    Atomics.store(box, 0, -1);
    Atomics.notify(box, 0);
    end();
  }
}

/** The same WebAssembly module for a memory that threads share: one bit of its memory import says so. */
export function sharing(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const mark = [...Array.from("memory", (letter) => letter.charCodeAt(0)), 2, 1];
  const at = bytes.findIndex((_, i) => mark.every((byte, k) => bytes[i + k] === byte)) + mark.length - 1;
  const changed = bytes.slice();
  changed[at] = 3;
  return changed;
}

/** Ends the threads of backends that nobody holds any more. */
const dropped = new FinalizationRegistry<readonly Thread[]>(endAll);

export class Threads implements Workforce {
  private requests = 0;
  /** Why they compute no more. */
  private over: string | undefined;
  private readonly maySleep = maySleepHere();
  readonly count: number;

  private constructor(
    private readonly exports: WasmExports,
    /** Of all kernels, in the threads' order. */
    private readonly names: readonly string[],
    private readonly others: readonly Thread[],
  ) {
    dropped.register(this, others, this);
    this.count = others.length + 1;
  }

  /** Starts `count` threads, with the caller's. @throws RnnError `device` if threads cannot be started here */
  static async start(kernels: WasmKernels, count: number): Promise<Threads> {
    await Promise.all(wasmParts.map((part) => kernels.load(part)));
    const {
      exports,
      heap: { memory },
      heap,
      modules,
      scratchBytes,
    } = kernels;
    const names = Object.keys(exports);
    const started = await Promise.allSettled(
      Array.from({ length: count - 1 }, async () => {
        const at = heap.allocate(4 * boxWords);
        const scratch = heap.allocate(scratchBytes);
        const box = new Int32Array(memory.buffer, at, boxWords).fill(0);
        const end = await startThread(source, { modules, memory, box: at, scratch, names });
        return { box, end };
      }),
    );
    const others = started.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    const failed = started.find((one) => one.status === "rejected");
    if (failed) {
      for (const { end } of others) end();
      throw new RnnError("device", "CpuBackend", `a thread could not be started: ${(failed.reason as Error).message}; use threads: 1`, {
        cause: failed.reason,
      });
    }
    return new Threads(exports, names, others);
  }

  parallel(rows: number, least: number, callsOf: CallsOf, together: number): Pieces {
    const units = Math.max(1, Math.floor(rows / least));
    const parts = Math.min(units, this.others.length + 1);
    const starts = Array.from({ length: parts + 1 }, (_, i) => (i === parts ? rows : Math.floor((i * units) / parts) * least));
    const [own, ...theirs] = starts.slice(1).map((end, i) => callsOf(starts[i], end));
    if (theirs.length === 0) return piecesOf(this.exports, own, together);
    const call = inTurn(this.exports, own);
    return requestsOf(theirs, this.names).map(({ messages, first, end }) => () => {
      this.ask(messages);
      try {
        call(first, Math.min(end, own.length));
      } finally {
        this.await(messages.length);
      }
    });
  }

  end(): void {
    this.over = "its threads have ended, since destroy() was called";
    dropped.unregister(this);
    endAll(this.others);
  }

  private ask(messages: readonly Int32Array[]): void {
    this.check();
    this.requests = (this.requests % 0x3fffffff) + 1;
    for (const [i, message] of messages.entries()) {
      const { box } = this.others[i];
      box.set(message, 2);
      Atomics.store(box, 0, this.requests);
      Atomics.notify(box, 0);
    }
  }

  private check(): void {
    if (this.over !== undefined) throw new RnnError("device", "CpuBackend", `${this.over}; make a new backend`);
  }

  /**
   * Waits until all have answered, also if one has failed: the others still write to memory that the caller may free. A
   * page's main thread must not sleep, so it keeps checking.
   */
  private await(count: number): void {
    for (const { box } of this.others.slice(0, count)) {
      let answer = Atomics.load(box, 1);
      for (let i = 0; answer !== this.requests && answer !== -1; i++) {
        if (i >= looks && this.maySleep) Atomics.wait(box, 1, answer);
        answer = Atomics.load(box, 1);
      }
      if (answer === -1) this.over = "a thread has failed";
    }
    this.check();
  }
}

function maySleepHere(): boolean {
  try {
    return Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1) === "not-equal";
  } catch {
    return false;
  }
}

interface Request {
  /** The calls of the parts from `first` up to `end`. */
  readonly first: number;
  readonly end: number;
  /** For each thread, its mailbox from the number of calls on. */
  readonly messages: readonly Int32Array[];
}

/** Calls that do not fit into a mailbox are sent in several requests. */
function requestsOf(parts: readonly (readonly Call[])[], names: readonly string[]): Request[] {
  const most = 256;
  const length = Math.max(...parts.map((calls) => calls.length));
  return Array.from({ length: Math.ceil(length / most) }, (_, i) => {
    const first = i * most;
    const messages = parts.map((calls) => {
      const some = calls.slice(first, first + most);
      return Int32Array.from([some.length, ...some.flatMap(({ name, args }) => [names.indexOf(name), args.length, ...args])]);
    });
    return { first, end: first + most, messages };
  });
}
