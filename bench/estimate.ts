/** Estimates how much longer a run will take: by guesses at first, then from the time it has taken. */
import type { Mode } from "./cases.ts";
import type { Effort } from "./measure.ts";

/** Seconds to find a backend's fastest kernels and its best matrix product, once a visit. */
export const preparation = 4;

/**
 * Guessed seconds of a row, before any has been measured: to prepare a library for a case, check and warm it up, and to
 * time it. A software adapter compiles for seconds; a forward pass is timed again without transfers.
 */
export function guessSeconds({ seconds }: Pick<Effort, "seconds">, mode: Mode, software: boolean): number {
  return (software ? 5 : 2) + seconds * (mode === "forward" ? 1.5 : 1);
}

export class Estimate {
  /** Seconds that rows have taken, and the seconds guessed for them. */
  private taken = 0;
  private guessed = 0;

  constructor(
    private readonly effort: Effort,
    private readonly software = false,
  ) {}

  /** Records that rows of a mode were done, or refused, after this many seconds. */
  add(mode: Mode, rows: number, seconds: number): void {
    this.taken += seconds;
    this.guessed += rows * guessSeconds(this.effort, mode, this.software);
  }

  /** Seconds for the rows of a mode that have not begun. */
  of(mode: Mode, rows: number): number {
    const guess = guessSeconds(this.effort, mode, this.software);
    // The guess counts as one more row, so that the first measured row does not decide alone.
    return rows * guess * ((this.taken + guess) / (this.guessed + guess));
  }
}
