/** Splits the rows of a kernel among threads. Each has an instance of the kernels over the same memory. */
import { startThread } from "#thread";
import { RnnError } from "../../errors.ts";
import { inTurn, piecesOf, type Call, type CallsOf, type Pieces, type Workforce } from "./calls.ts";
import type { WasmExports } from "./wasm-code.ts";
import { wasmParts, type WasmKernels } from "./wasm-kernels.ts";

/** The most calls in one request. */
const mostCalls = 256;
/**
 * A thread's mailbox, in 32-bit words: one of `turns`, number of calls, then each call: place of the kernel's name among
 * all, number of arguments, arguments. The thread's scratch memory lies behind it.
 */
const boxWords = 2 + mostCalls * 24;
const boxBytes = Math.ceil(boxWords / 16) * 64;

/** What a mailbox waits for. Only the thread changes `begun`, and only the caller `idle`; both try to change `asked`. */
const turns = { idle: 0, asked: 1, begun: 2, failed: 3, ending: 4 } as const;

/** How often a thread checks for an answer or a request before it sleeps: some ten microseconds. */
const looks = 20_000;

/**
 * A thread that has begun and does not answer counts as lost after `patience` milliseconds and `timesPatient` times the
 * time that the caller's own part took. No host reports the end of a thread to a caller that waits.
 */
const patience = 10_000;
const timesPatient = 20;

/**
 * The program of a thread, as text, because a bundle has no separate file for it. It checks for a while before it
 * sleeps, because the next request often comes soon. Once "work" has ended, the thread no longer uses the memory.
 */
const source = `async function work({ modules, memory, scratch, box: at, names }, ready) {
  const instances = await Promise.all(modules.map((module) => WebAssembly.instantiate(module, { env: { memory, scratch, log: Math.log, pow: Math.pow } })));
  const exports = Object.assign({}, ...instances.map(({ exports }) => exports));
  const box = new Int32Array(memory.buffer, at, ${boxWords});
  const calls = names.map((name) => exports[name]);
  ready();
  for (let turn = 0; turn !== ${turns.failed}; ) {
    for (let i = 0; i < ${looks} && Atomics.load(box, 0) === ${turns.idle}; i++);
    while (Atomics.load(box, 0) === ${turns.idle}) Atomics.wait(box, 0, ${turns.idle});
    turn = Atomics.compareExchange(box, 0, ${turns.asked}, ${turns.begun});
    if (turn === ${turns.ending}) return;
    // The caller has taken it back.
    if (turn !== ${turns.asked}) continue;
    try {
      for (let i = box[1], at = 2; i > 0; i--) {
        const start = at + 2, end = start + box[at + 1];
        calls[box[at]](...box.subarray(start, end));
        at = end;
      }
      turn = ${turns.idle};
    } catch {
      turn = ${turns.failed};
    }
    Atomics.store(box, 0, turn);
    Atomics.notify(box, 0);
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
  /** Resolves when it uses the memory no more. */
  readonly over: Promise<unknown>;
  readonly terminate: () => unknown;
  /** Gives back its mailbox and scratch memory. */
  readonly free: () => void;
  /** It is over, or has not answered for so long that it must be. */
  lost: boolean;
}

/** @throws anything, if it cannot be started */
async function startOne({ heap, modules, scratchBytes }: WasmKernels, names: readonly string[]): Promise<Thread> {
  const at = heap.allocate(boxBytes + scratchBytes);
  const free = () => heap.free(at);
  const { memory } = heap;
  const box = new Int32Array(memory.buffer, at, boxWords).fill(0);
  try {
    const { over, terminate } = await startThread(source, { modules, memory, box: at, scratch: at + boxBytes, names });
    const thread: Thread = { box, over, terminate, free, lost: false };
    void over.then(() => (thread.lost = true));
    return thread;
  } catch (error) {
    free();
    throw error;
  }
}

function endAll(others: readonly Thread[]): void {
  for (const { box, over, terminate, free } of others) {
    // A thread is terminated only when it is awake and over: Chromium waits two seconds for a sleeping one, and the memory
    // must not be given to others while it is in use.
    Atomics.store(box, 0, turns.ending);
    Atomics.notify(box, 0);
    void over.then(terminate).then(free);
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
  /** Why the threads no longer compute. */
  private over: string | undefined;
  private readonly maySleep = maySleepHere();

  private constructor(
    private readonly exports: WasmExports,
    /** Of all kernels, in the threads' order. */
    private readonly names: readonly string[],
    private readonly others: readonly Thread[],
    private readonly patience: number,
  ) {
    dropped.register(this, others, this);
  }

  get count(): number {
    return 1 + this.others.filter(({ lost }) => !lost).length;
  }

  /**
   * Starts `count` threads, including the caller's.
   * @param least milliseconds after which a thread may be lost
   * @throws RnnError `device` if threads cannot be started here
   */
  static async start(kernels: WasmKernels, count: number, least = patience): Promise<Threads> {
    await Promise.all(wasmParts.map((part) => kernels.load(part)));
    const names = Object.keys(kernels.exports);
    const started = await Promise.allSettled(Array.from({ length: count - 1 }, () => startOne(kernels, names)));
    const others = started.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    const failed = started.find((one) => one.status === "rejected");
    if (failed) {
      endAll(others);
      throw new RnnError("device", "CpuBackend", `a thread could not be started: ${(failed.reason as Error).message}; use threads: 1`, {
        cause: failed.reason,
      });
    }
    return new Threads(kernels.exports, names, others, least);
  }

  parallel(rows: number, least: number, callsOf: CallsOf, together: number): Pieces {
    const units = Math.max(1, Math.floor(rows / least));
    const parts = Math.min(units, this.others.length + 1);
    const starts = Array.from({ length: parts + 1 }, (_, i) => (i === parts ? rows : Math.floor((i * units) / parts) * least));
    const [own, ...theirs] = starts.slice(1).map((end, i) => callsOf(starts[i], end));
    if (theirs.length === 0) return piecesOf(this.exports, own, together);
    const call = inTurn(this.exports, own);
    const instead = theirs.map((calls) => inTurn(this.exports, calls));
    return requestsOf(theirs, this.names).map(({ messages, first, end }) => {
      const part = (i: number): void => instead[i](first, Math.min(end, theirs[i].length));
      return () => {
        this.ask(messages);
        const started = performance.now();
        try {
          call(first, Math.min(end, own.length));
        } finally {
          this.finish(messages.length, part, performance.now() - started);
        }
      };
    });
  }

  end(): void {
    this.over = "its threads have ended, since destroy() was called";
    dropped.unregister(this);
    endAll(this.others);
  }

  private ask(messages: readonly Int32Array[]): void {
    this.check();
    for (const [i, message] of messages.entries()) {
      const { box, lost } = this.others[i];
      if (lost) continue;
      box.set(message, 1);
      Atomics.store(box, 0, turns.asked);
      Atomics.notify(box, 0);
    }
  }

  private check(): void {
    if (this.over !== undefined) throw new RnnError("device", "CpuBackend", `${this.over}; make a new backend`);
  }

  /**
   * Does the parts that no thread has begun, for example because the thread was ended from outside. Then waits for the
   * others, even if one has failed: they still write to memory that the caller may free.
   * @param instead does a thread's part
   * @param took milliseconds for the caller's own part
   */
  private finish(count: number, instead: (i: number) => void, took: number): void {
    for (let i = 0; i < count; i++) {
      const { box, lost } = this.others[i];
      if (!lost && Atomics.compareExchange(box, 0, turns.asked, turns.idle) !== turns.asked) continue;
      try {
        instead(i);
      } catch {
        this.over = "a thread has failed";
      }
    }
    let lostNow = false;
    for (let i = 0; i < count; i++)
      if (!this.others[i].lost) lostNow = this.await(this.others[i], this.patience + timesPatient * took) || lostNow;
    this.check();
    if (lostNow) throw new RnnError("device", "CpuBackend", "a thread has ended while it computed; call again to compute without it");
  }

  /** Waits until a thread has answered. A page's main thread must not sleep, so it keeps checking. @returns true if it is lost */
  private await(one: Thread, longest: number): boolean {
    const { box, terminate } = one;
    let waited = 0;
    let last = performance.now();
    for (let i = 1; Atomics.load(box, 0) === turns.begun; i++) {
      if (i % looks !== 0) continue;
      if (this.maySleep) Atomics.wait(box, 0, turns.begun, 1000);
      const now = performance.now();
      // The whole machine may have slept.
      waited += Math.min(now - last, 1000);
      last = now;
      if (waited < longest) continue;
      one.lost = true;
      terminate();
      return true;
    }
    if (Atomics.load(box, 0) === turns.failed) this.over = "a thread has failed";
    return false;
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
  const length = Math.max(...parts.map((calls) => calls.length));
  return Array.from({ length: Math.ceil(length / mostCalls) }, (_, i) => {
    const first = i * mostCalls;
    const messages = parts.map((calls) => {
      const some = calls.slice(first, first + mostCalls);
      return Int32Array.from([some.length, ...some.flatMap(({ name, args }) => [names.indexOf(name), args.length, ...args])]);
    });
    return { first, end: first + mostCalls, messages };
  });
}
