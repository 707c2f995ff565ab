/** Characters per second over the last few seconds. */
export class Speed {
  private ends: number[] = [];

  constructor(
    private readonly charactersPerStep: number,
    private readonly span = 5000,
  ) {}

  step(): void {
    const now = performance.now();
    this.ends.push(now);
    while (this.ends.length > 2 && this.ends[0] < now - this.span) this.ends.shift();
  }

  /** 0 until enough steps are measured: a GPU returns the first few steps at once. */
  get value(): number {
    const steps = this.ends.length - 1;
    const time = this.ends[steps] - this.ends[0];
    return steps < 1 || time < 250 ? 0 : (1000 * this.charactersPerStep * steps) / time;
  }
}
