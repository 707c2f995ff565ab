/** A recording that is ready for the CPU: a list of closures, some for each command. */
import type { Buffer, Command, Dispatch, Recording, View } from "../../recording/recording.ts";
import { staying } from "../../recording/staying.ts";
import { sizeOf } from "../../tensor/shape.ts";
import type { NumericArray } from "../../tensor/tensor.ts";
import type { DeviceBuffer, Fill, Program, Room, RunOptions, RunResult } from "../backend.ts";
import { copyInto } from "../into.ts";
import { checkHeld } from "../ledger.ts";
import { ProgramMemory } from "../program-memory.ts";
import type { Keep, Pieces } from "./calls.ts";
import type { CpuBackend } from "./cpu-backend.ts";
import type { CpuBuffer } from "./cpu-buffer.ts";

function fill({ to, from, offset = 0 }: Fill): void {
  checkHeld(to);
  const { array } = to as CpuBuffer;
  if (from) {
    checkHeld(from);
    array.set((from as CpuBuffer).array.subarray(offset, offset + array.length));
  } else array.fill(0);
}

export class CpuProgram implements Program {
  private readonly memory: ProgramMemory<CpuBuffer>;
  /**
   * The pieces of each command, made once: a run allocates nothing. One more entry, behind the derived commands, makes the
   * copies in `kept`.
   */
  private pieces: Pieces[] = [];
  /** Copies of buffers in the orders that kernels want, by buffer and order; they live as long as derived buffers. */
  private readonly kept = new Map<string, CpuBuffer>();
  private readonly stays: (view: View) => boolean;
  /** Stays the same when the backend's threads change, so that a run that binds anew goes on where it was. */
  private readonly fastKernel: CpuBackend["fastKernel"];
  /** All pieces in their order, and how many of them belong to derived commands and to `kept`. */
  private inRow: Pieces = [];
  private derivedPieces = 0;
  /** Resolves when the latest run is over. */
  private running: Promise<void> | undefined;
  private downloads: { name: string; array: NumericArray }[] = [];
  /** The moment for which the derived buffers are valid. */
  private moment: object | undefined;
  /** The backend's generation for which `pieces` and `downloads` are valid. */
  private generation = -1;

  constructor(
    private readonly backend: CpuBackend,
    readonly recording: Recording,
    externals: ReadonlyMap<Buffer, DeviceBuffer>,
    private readonly keepAll: boolean,
  ) {
    this.stays = staying(recording);
    this.fastKernel = backend.fastKernel;
    this.memory = new ProgramMemory<CpuBuffer>("CpuBackend", backend);
    try {
      this.memory.place(recording, externals as ReadonlyMap<Buffer, CpuBuffer>, keepAll);
      this.bind();
    } catch (error) {
      // It was too large. Free what was allocated so far: the caller may try again with a smaller batch.
      this.free();
      throw error;
    }
  }

  reserve(): Promise<Room> {
    return Promise.resolve({ release: () => undefined });
  }

  async run(
    inputs: Readonly<Record<string, NumericArray>> = {},
    { repeat = 1, moment, first: fills = [], into = {} }: RunOptions = {},
  ): Promise<RunResult> {
    return this.alone(async () => {
      this.check();
      this.writeInputs(inputs);
      for (const one of fills) fill(one);
      const { derived, commands } = this.recording;
      const skipped = derived + 1;
      let first = moment !== undefined && moment === this.moment ? skipped : 0;
      this.moment = undefined;
      for (let i = 0; i < repeat; i++, first = skipped) await this.runPieces(first, commands.length + 1);
      this.moment = moment;
      this.backend.counters.submits++;
      const results = this.downloads.map(({ name, array }) => [name, copyInto(into, name, array)]);
      return { downloads: Promise.resolve(Object.fromEntries(results) as Record<string, NumericArray>) };
    });
  }

  runSlice(first: number, last: number, inputs: Readonly<Record<string, NumericArray>> = {}): Promise<void> {
    return this.alone(() => {
      this.check();
      this.writeInputs(inputs);
      const { derived } = this.recording;
      return this.runPieces(first > derived ? first + 1 : first, last > derived ? last + 1 : last);
    });
  }

  /**
   * Runs every command before it returns, on inputs that the caller has written into `arrayOf` them. The event loop does
   * not run meanwhile, and nothing is allocated. Results are in `arrayOf` their views. Must not be called during a `run`.
   * @param moment as in `run`
   */
  runNow(moment: object): void {
    this.ready();
    const { inRow } = this;
    const first = moment === this.moment ? this.derivedPieces : 0;
    this.moment = undefined;
    for (let i = first; i < inRow.length; i++) inRow[i]();
    this.moment = moment;
    this.backend.counters.submits++;
  }

  /**
   * Makes everything that a run needs, again if the memory has grown; arrays from before are then detached.
   * @returns a number that changes each time
   */
  ready(): number {
    this.check();
    // Each call of `bind` makes a context for its closures, which is garbage if there is nothing to bind.
    if (this.generation !== this.backend.generation) this.bind();
    return this.generation;
  }

  /** Queues runs, because a run may let the event loop run in between. */
  private async alone<T>(run: () => Promise<T>): Promise<T> {
    while (this.running) await this.running;
    const result = run();
    const end = (): void => {
      if (this.running === over) this.running = undefined;
    };
    const over = result.then(end, end);
    this.running = over;
    return result;
  }

  /** Runs the entries of `pieces` from `first` up to `last`, and lets the event loop run whenever it has waited too long. */
  private async runPieces(first: number, last: number): Promise<void> {
    const { breath } = this.backend;
    this.bind();
    breath.begin();
    for (let n = first; n < last; n++) {
      for (let i = 0; i < this.pieces[n].length; i++) {
        this.pieces[n][i]();
        if (!breath.isDue()) continue;
        await breath.take();
        // Meanwhile the backend may have ended, and the memory may have grown.
        this.check();
        this.bind();
      }
    }
    breath.end();
  }

  private check(): void {
    this.backend.check();
    this.memory.check();
  }

  bufferOf(buffer: Buffer): DeviceBuffer {
    return this.memory.of(buffer);
  }

  free(): void {
    // The closures hold the arrays, which are the memory if there is no WebAssembly.
    this.pieces = [];
    this.inRow = [];
    this.downloads = [];
    this.memory.free();
  }

  private writeInputs(inputs: Readonly<Record<string, NumericArray>>): void {
    for (const [label, data] of Object.entries(inputs)) this.backend.write(this.memory.input(label), data);
  }

  /** Makes the closures, and makes them again when growth of the memory has detached their arrays. */
  private bind(): void {
    // Binding may itself allocate scratch memory, and so detach the first arrays it made.
    while (this.generation !== this.backend.generation) {
      this.generation = this.backend.generation;
      this.downloads = [];
      const { commands, derived } = this.recording;
      const copied = new Set<string>();
      const copies: Pieces[] = [];
      this.pieces = commands.map((command, n) => {
        const before: Pieces[] = [];
        const pieces = this.piecesOf(command, copied, before);
        // A derived command needs its copies at once; the others' are made when all derived commands have run.
        if (n < derived) return [...before.flat(), ...pieces];
        copies.push(...before);
        return pieces;
      });
      this.pieces.splice(derived, 0, copies.flat());
      this.inRow = this.pieces.flat();
      this.derivedPieces = this.pieces.slice(0, derived + 1).flat().length;
    }
  }

  /** The elements of a view. The array is valid as long as `ready` returns the same number. */
  arrayOf({ buffer, offset, shape }: View): NumericArray {
    return this.memory.of(buffer).array.subarray(offset, offset + Math.max(1, sizeOf(shape)));
  }

  /**
   * @param copied the copies of settled buffers that commands so far have made
   * @param copies receives the pieces that make further ones
   */
  private piecesOf(command: Command, copied: Set<string>, copies: Pieces[]): Pieces {
    switch (command.kind) {
      case "dispatch":
        return this.dispatchOf(command, copied, copies);
      case "copy": {
        const from = this.arrayOf(command.from);
        const to = this.arrayOf(command.to);
        return [() => to.set(from)];
      }
      case "clear": {
        const array = this.arrayOf(command.view);
        return [() => void array.fill(0)];
      }
      case "download": {
        this.downloads.push({ name: command.name, array: this.arrayOf(command.view) });
        return [];
      }
    }
  }

  /**
   * Keeps copies of a dispatch's bindings. With `keepAll`, the caller may write to any buffer between commands, so no copy stays
   * valid.
   * @param here receives the pieces that make copies right before the dispatch
   */
  private keeperOf({ views }: Dispatch, copied: Set<string>, copies: Pieces[], here: Pieces[]): Keep {
    return (binding, order, length, fill, often = false) => {
      const view = views[binding];
      const stays = !this.keepAll && this.stays(view);
      if (!stays && !often) return undefined;
      const key = `${view.buffer.label} ${view.offset} ${order}`;
      let copy = this.kept.get(key);
      if (!copy) this.kept.set(key, (copy = this.memory.own(this.backend.allocate(key, "f32", length))));
      if (!stays) here.push(fill(copy.address));
      else if (!copied.has(key)) copies.push(fill(copy.address));
      copied.add(key);
      return copy.address;
    };
  }

  private dispatchOf(dispatch: Dispatch, copied: Set<string>, copies: Pieces[]): Pieces {
    const { kernel, views, params } = dispatch;
    const { counters } = this.backend;
    const count = (): void => {
      counters.dispatches++;
    };
    const arrays = () => Object.fromEntries(Object.entries(views).map(([name, view]) => [name, this.arrayOf(view)]));
    const fast = this.fastKernel(kernel);
    if (fast) {
      const addresses = Object.fromEntries(
        Object.entries(views).map(([name, { buffer, offset }]) => [name, this.memory.of(buffer).address + 4 * offset]),
      );
      const here: Pieces[] = [];
      const pieces = fast(addresses, params, arrays, this.keeperOf(dispatch, copied, copies, here));
      return [...here.flat(), ...pieces, count];
    }
    const own = arrays();
    const twin = this.backend.twinOf(kernel);
    return [...(twin.pieces?.(own, params) ?? [() => twin(own, params)]), count];
  }
}
