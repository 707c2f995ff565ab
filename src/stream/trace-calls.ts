/** Turns the commands of recordings into calls of WebAssembly functions, at given addresses. Nothing runs. */
import { alone, type Keep, type Pieces } from "../backend/cpu/calls.ts";
import { fastKernels } from "../backend/cpu/fast-kernels.ts";
import type { WasmExports } from "../backend/cpu/wasm-code.ts";
import type { Means } from "../backend/cpu/work-space.ts";
import { RnnError } from "../errors.ts";
import type { Kernel } from "../kernels/kernel.ts";
import { unaryForward } from "../kernels/unary.ts";
import type { Command, View } from "../recording/recording.ts";
import { sizeOf } from "../tensor/shape.ts";
import { line, messageBytes, workOf, type SavedCall } from "./stream-file.ts";

/** The byte address of a view. */
export type AddressOf = (view: View) => number;

/** Work space that is only an address: kernels put messages into it, which become constants. */
class TracedWork implements Pick<Means["work"], "address" | "reserve" | "array" | "words"> {
  /** Bytes that kernels have asked for. */
  bytes = 0;
  private messages = new Uint32Array();
  private messagesAt = 0;

  constructor(readonly address: number) {}

  reserve(length: number): void {
    this.bytes = Math.max(this.bytes, 4 * length);
  }

  array(length: number): Float32Array {
    return new Float32Array(length);
  }

  words(first: number, length: number): Uint32Array {
    this.messagesAt = this.address + 4 * first;
    return (this.messages = new Uint32Array(length));
  }

  /** The words that were put at an address. */
  messageAt(address: number): number[] {
    const first = (address - this.messagesAt) / 4;
    return [...this.messages.subarray(first, first + messageBytes / 4)];
  }
}

export class Tracer {
  private calls: SavedCall[] = [];
  /** Addresses of such copies, by what is copied and the order. */
  private readonly kept = new Map<string, number>();
  private keptEnd: number;
  private readonly work: TracedWork;
  /** Addresses of the messages, by what they say. */
  private readonly messages = new Map<string, number>();
  private readonly fast: ReturnType<typeof fastKernels>;

  /**
   * @param workAt address of the memory that kernels use during a call
   * @param keptAt address of the copies of settled buffers
   * @param messagesAt address of the messages to kernels
   */
  constructor(
    workAt: number,
    private readonly keptAt: number,
    private readonly messagesAt: number,
  ) {
    this.keptEnd = keptAt;
    this.work = new TracedWork(workAt);
    const recorded = {
      get:
        (_: object, name: string) =>
        (...args: number[]) =>
          this.record(name, args),
    };
    const exports = new Proxy<WasmExports>({}, recorded);
    this.fast = fastKernels({ exports, threads: alone(exports), work: this.work });
  }

  get workBytes(): number {
    return this.work.bytes;
  }

  get keptBytes(): number {
    return this.keptEnd - this.keptAt;
  }

  get messagesBytes(): number {
    return this.messages.size * messageBytes;
  }

  /** Calls that write the messages. */
  get writes(): SavedCall[] {
    return [...this.messages].map(([words, address]) => ["write", address, ...(JSON.parse(words) as number[])]);
  }

  /**
   * @param stays whether a view changes between runs only
   * @param copies where calls go that copy such views: before the command by default
   * @throws RnnError `option` if a command has no function in WebAssembly
   */
  callsOf(commands: readonly Command[], addressOf: AddressOf, stays: (view: View) => boolean, copies?: SavedCall[]): SavedCall[] {
    const calls = (this.calls = []);
    for (const command of commands) this.trace(command, addressOf, stays, copies ?? calls);
    return calls;
  }

  private trace(command: Command, addressOf: AddressOf, stays: (view: View) => boolean, copies: SavedCall[]): void {
    if (command.kind === "download") return;
    if (command.kind === "copy") {
      const [from, to] = [command.from, command.to].map(addressOf);
      this.record("stridedCopy", [from, to, 1, 1, sizeOf(command.to.shape), 0, 0, 4, 0, 0, 4, 0]);
    } else if (command.kind === "clear") {
      const at = addressOf(command.view);
      // The sums of no rows are zeros.
      this.record("columnSum", [at, at, 0, sizeOf(command.view.shape), 0]);
    } else {
      const { kernel, views, params } = command;
      const addresses = Object.fromEntries(Object.entries(views).map(([name, view]) => [name, addressOf(view)]));
      if (kernel.name === unaryForward.name) {
        this.record("unary", [addresses.x, addresses.y, params.length, params.kind, params.alpha, params.beta]);
        return;
      }
      const fast = this.fast(kernel);
      if (!fast) throw noFunction(kernel);
      const keep: Keep = (binding, order, length, fill) =>
        stays(views[binding]) ? this.keep(`${addresses[binding]} ${order}`, length, fill, copies) : undefined;
      for (const piece of fast(addresses, params, () => ({}), keep)) piece();
    }
  }

  private keep(key: string, length: number, fill: (to: number) => Pieces, copies: SavedCall[]): number {
    const known = this.kept.get(key);
    if (known !== undefined) return known;
    const at = this.keptEnd;
    this.kept.set(key, at);
    this.keptEnd += Math.ceil((4 * length) / line) * line;
    const { calls } = this;
    this.calls = copies;
    for (const piece of fill(at)) piece();
    this.calls = calls;
    return at;
  }

  private record(name: string, given: readonly number[]): void {
    if (!Object.hasOwn(workOf, name)) throw new RnnError("option", "saveStream", `a file has no calls of ${name}`);
    // JSON has no infinity, which a bound may be.
    const args = given.map((arg) => Math.min(Math.max(arg, -Number.MAX_VALUE), Number.MAX_VALUE));
    if (name === "regularizedForward") args[0] = this.messageOf(args[0]);
    this.calls.push([name, ...args]);
  }

  private messageOf(address: number): number {
    const words = JSON.stringify(this.work.messageAt(address));
    const known = this.messages.get(words) ?? this.messagesAt + this.messages.size * messageBytes;
    this.messages.set(words, known);
    return known;
  }
}

function noFunction({ name, recurrent }: Kernel): RnnError {
  const what = recurrent ? `layers of the cell "${recurrent.cell.name}" are` : `"${name}" is`;
  return new RnnError(
    "option",
    "saveStream",
    `needs a model that WebAssembly computes from beginning to end, and ${what} in JavaScript; createStream of webgpu-rnn streams it`,
  );
}
