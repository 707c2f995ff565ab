/** Characters per second over the last few seconds, with the time left out that went into other things. */
export class Speed {
  /** Ends of steps on a clock that stands still during everything but training. */
  private ends: number[] = [];
  private stoodStill = 0;
  private readonly started = performance.now();

  constructor(private readonly charactersPerStep: number, private readonly span = 4000) {}

  step(): void {
    this.ends.push(this.now());
    while (this.ends.length > 2 && this.ends[0] < this.now() - this.span) this.ends.shift();
  }

  leaveOut(milliseconds: number): void {
    this.stoodStill += milliseconds;
  }

  get value(): number {
    const steps = this.ends.length - 1;
    const time = this.ends[steps] - this.ends[0];
    return steps < 1 || time <= 0 ? 0 : (1000 * this.charactersPerStep * steps) / time;
  }

  private now(): number {
    return performance.now() - this.started - this.stoodStill;
  }
}
