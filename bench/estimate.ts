/** How much longer a run will take: guessed at first, then from what it has taken so far. */
import type { Mode } from "./cases.ts";
import type { Effort } from "./measure.ts";

/** Seconds to find a backend's fastest kernels and its best matrix product, once a visit. */
export const preparation = 4;

/**
 * Seconds that a row takes, before any has been measured: to make a library ready for a case, check it and warm it up,
 * and to time it. A software adapter compiles for seconds; a forward pass is timed once more, without transfers.
 */
export function guessSeconds({ seconds }: Pick<Effort, "seconds">, mode: Mode, software: boolean): number {
  return (software ? 5 : 2) + seconds * (mode === "forward" ? 1.5 : 1);
}

export class Estimate {
  /** Seconds that rows have taken, and those that were guessed for them. */
  private taken = 0;
  private guessed = 0;

  constructor(
    private readonly effort: Effort,
    private readonly software = false,
  ) {}

  /** Rows of a mode are done, or refused, after this many seconds. */
  add(mode: Mode, rows: number, seconds: number): void {
    this.taken += seconds;
    this.guessed += rows * guessSeconds(this.effort, mode, this.software);
  }

  /** Seconds that rows of a mode will take that have not begun. */
  of(mode: Mode, rows: number): number {
    const guess = guessSeconds(this.effort, mode, this.software);
    // One more guess beside what was seen keeps the first row from deciding alone.
    return rows * guess * ((this.taken + guess) / (this.guessed + guess));
  }
}
