/** Parameters of one moment, for what is computed in several pieces while a training may go on. */
import type { Backend, DeviceBuffer } from "../backend/backend.ts";

/** A copy of the parameters, shared by the readings of one moment. */
interface Copy {
  readonly buffer: DeviceBuffer;
  readers: number;
}

/** One computation in several pieces. It reads the live parameters until somebody is about to change them. */
export class Reading {
  /** What it reads since then. @internal */
  copy: Copy | undefined;
  /** Why there is no copy, if the device had no room for one. @internal */
  problem: { readonly error: unknown } | undefined;

  /** @param moment of the parameters that it reads, told apart by identity */
  constructor(
    private readonly readings: Readings,
    readonly moment: object,
  ) {}

  /** Does `run` on the parameters of the reading's moment, bound like the live ones. Only in a turn. */
  run<T>(run: () => Promise<T>): Promise<T> {
    return this.readings.run(this, run);
  }

  /** Gives the copy back. No piece may follow. */
  close(): void {
    this.readings.close(this);
  }
}

/** The readings of a model's parameters on one backend. */
export class Readings {
  private readonly open = new Set<Reading>();
  /** Where the live parameters wait while a piece runs on a copy. */
  private aside: DeviceBuffer | undefined;

  constructor(
    private readonly backend: Backend,
    private readonly parameters: () => DeviceBuffer,
  ) {}

  /** A reading of what the parameters are now, at this moment. */
  add(moment: object): Reading {
    const reading = new Reading(this, moment);
    this.open.add(reading);
    return reading;
  }

  /** To be called right before the parameters change: readings keep what they have seen so far. */
  keep(): void {
    const live = [...this.open].filter(({ copy, problem }) => !copy && !problem);
    if (live.length === 0) return;
    try {
      const copy: Copy = { buffer: this.make("parameters.reading"), readers: live.length };
      this.backend.copy(this.parameters(), copy.buffer);
      for (const reading of live) reading.copy = copy;
    } catch (error) {
      // The reading fails, not the training that goes on beside it.
      for (const reading of live) reading.problem = { error };
    }
  }

  async run<T>(reading: Reading, run: () => Promise<T>): Promise<T> {
    const { copy, problem } = reading;
    if (problem) throw problem.error;
    if (!copy) return run();
    // Recordings are bound to the live buffer, so the copy comes to them: three copies, and nothing is prepared anew.
    this.aside ??= this.make("parameters.aside");
    this.backend.copy(this.parameters(), this.aside);
    this.backend.copy(copy.buffer, this.parameters());
    try {
      return await run();
    } finally {
      this.backend.copy(this.aside, this.parameters());
    }
  }

  close(reading: Reading): void {
    if (!this.open.delete(reading)) return;
    const { copy } = reading;
    if (copy && --copy.readers === 0) this.backend.free(copy.buffer);
    if (this.open.size === 0) this.free();
  }

  /** Gives all memory back. */
  free(): void {
    for (const { copy } of this.open) if (copy && --copy.readers === 0) this.backend.free(copy.buffer);
    this.open.clear();
    if (this.aside) this.backend.free(this.aside);
    this.aside = undefined;
  }

  private make(label: string): DeviceBuffer {
    return this.backend.createBuffer(label, "f32", this.parameters().length);
  }
}
