/** Threads that start with the first recording that is worth it, if a trial finds them faster. */
import { cores } from "#thread";
import { RnnError } from "../../errors.ts";
import type { Dispatch, Recording } from "../../recording/recording.ts";
import { alone, type CallsOf, type Staff, type Workforce } from "./calls.ts";
import { Threads } from "./threads.ts";
import type { WasmKernels } from "./wasm-kernels.ts";

/** Multiplications of one dispatch from which on threads are worth their start: about a millisecond on one thread. */
const worthStarting = 2 ** 24;
/** With more threads, each would have fewer rows of a usual batch than a kernel computes at once. */
const mostThreads = 4;
/** How many times faster the trial must be. */
const leastGain = 1.25;

/** Multiplications of a dispatch that threads can share. */
function sharedWork({ kernel, params: p }: Dispatch): number {
  if (!kernel.recurrent) return kernel.name.startsWith("matmul") && p.batch === 1 && p.M >= 32 ? p.M * p.N * p.K : 0;
  const { strategy, cell } = kernel.recurrent;
  return p.B >= 8 ? (strategy === "step" ? 1 : p.steps) * p.B * p.H * p.H * cell.gateNames.length : 0;
}

/** How many times faster `threads` make a square product than one thread does. */
export function gainOf({ exports, heap }: WasmKernels, threads: Workforce): number {
  const size = 256;
  const bytes = 4 * size * size;
  const a = heap.allocate(3 * bytes);
  const [b, c] = [a + bytes, a + 2 * bytes];
  new Float32Array(heap.memory.buffer, a, 2 * size * size).fill(1);
  const callsOf: CallsOf = (first, end) => {
    const rows = 4 * first * size;
    return [{ name: "matmul", args: [a + rows, b, 0, c + rows, end - first, size, size, 1, 0, size, 1, 0, size, 1, 0, size, 0] }];
  };
  const least = [alone(exports), threads].map((workforce) => ({ pieces: workforce.parallel(size, 16, callsOf, 1), time: Infinity }));
  // The first round warms up; other programs can only make a round slower.
  for (let round = 0; round < 6; round++) {
    for (const one of least) {
      const started = performance.now();
      for (const piece of one.pieces) piece();
      if (round > 0) one.time = Math.min(one.time, performance.now() - started);
    }
  }
  heap.free(a);
  return least[0].time / least[1].time;
}

/** The gain that the first trial found; later backends use it too. */
let measured: number | undefined;

export class AutomaticThreads implements Staff {
  now: Workforce;
  private choosing: Promise<void> | undefined;
  private ended = false;

  /**
   * @param gain how many times faster threads are (default: measured, once)
   * @param available threads that can run at once
   */
  constructor(
    private readonly kernels: WasmKernels,
    private readonly gain: typeof gainOf = (...given) => (measured ??= gainOf(...given)),
    private readonly available = cores,
  ) {
    this.now = alone(kernels.exports);
  }

  async suit({ commands }: Recording): Promise<void> {
    if (commands.some((command) => command.kind === "dispatch" && sharedWork(command) >= worthStarting))
      await (this.choosing ??= this.choose());
  }

  end(): void {
    this.ended = true;
    this.now.end();
  }

  private async choose(): Promise<void> {
    const count = Math.min(mostThreads, await this.available());
    if (count === 1) return;
    let threads: Threads | undefined;
    try {
      threads = await Threads.start(this.kernels, count);
      if (!this.ended && this.gain(this.kernels, threads) >= leastGain) {
        this.now = threads;
        return;
      }
    } catch (error) {
      // A policy of the page may forbid them. The backend's `adapter` says how many threads there are.
      // Code that could not be loaded, and memory for the trial, may be there the next time.
      if (error instanceof RnnError && (error.kind === "load" || error.kind === "limit")) this.choosing = undefined;
    }
    threads?.end();
  }
}
