/** Lets a computation in several turns see the parameters of one moment, while training may go on. */
import type { Backend, DeviceBuffer } from "../backend/backend.ts";
import { inTurn } from "../nn/turns.ts";
import type { ParameterStore } from "./parameter-store.ts";
import type { Session } from "./session.ts";

/** A copy of the parameters, shared by the readings of one moment. */
interface Copy {
  readonly buffer: DeviceBuffer;
  readers: number;
}

/** What an open reading reads. It must not reference the reading: those that were left without a word end unseen. */
interface Source {
  /** Stands for the parameters that it reads. */
  readonly moment: object;
  /** Uploads what the device lacked when it was opened. @param lasting false if the live parameters come back after the run */
  readonly upload?: Upload;
  /** Set once the device has parameters of a later moment: those that it had before. */
  copy?: Copy;
  /** The error, if the device had no room for a copy. */
  problem?: { readonly error: unknown };
}

type Upload = (lasting: boolean) => Promise<void>;

/**
 * A computation in several turns, or one whose turn comes later. It reads the live parameters until someone is about to
 * change them, and then a copy.
 */
export class Reading {
  constructor(
    private readonly readings: Readings,
    private readonly source: Source,
  ) {}

  /** Stands for the parameters that it reads. */
  get moment(): object {
    return this.source.moment;
  }

  /** Calls `run` with the parameters of the reading's moment in the live buffer. Only in a turn. */
  run<T>(run: () => Promise<T>): Promise<T> {
    return this.readings.run(this.source, run);
  }

  /**
   * Frees the copy. `run` must not be called after it. Without this call, it is freed some time after nobody holds the
   * reading any more.
   */
  close(): void {
    this.readings.close(this.source);
  }
}

/** The readings of a model's parameters on one backend. */
export class Readings {
  private readonly open = new Set<Source>();
  private readonly dropped = new FinalizationRegistry<Source>((source) => this.close(source));
  /** Holds the live parameters while `run` uses a copy. */
  private aside: DeviceBuffer | undefined;
  private swapped: boolean | undefined;
  /** Stands for the latest values, while the device does not have them yet, and their versions. */
  private ahead: { readonly moment: object; readonly versions: readonly number[] } = { moment: {}, versions: [] };

  private readonly backend: Backend;

  constructor(private readonly store: ParameterStore) {
    this.backend = store.backend;
  }

  /** The moment of the latest values, wherever they are: the same object as long as none changes. */
  latestMoment(): object {
    const { isStale, moment, placed } = this.store;
    if (!isStale) return moment;
    const { versions } = this.ahead;
    if (placed.some(({ parameter }, i) => parameter.version !== versions[i]))
      this.ahead = { moment: {}, versions: placed.map(({ parameter }) => parameter.version) };
    return this.ahead.moment;
  }

  /** Opens a reading of the parameters of this moment. @param upload uploads those that the device does not have yet */
  add(moment: object, upload?: Upload): Reading {
    const source: Source = { moment, upload };
    this.open.add(source);
    this.store.users++;
    const reading = new Reading(this, source);
    this.dropped.register(reading, source, source);
    return reading;
  }

  /** Must be called right before the parameters change: copies them for the open readings. @param next the moment that comes now */
  copyForReaders(next?: object): void {
    const live = [...this.open].filter(({ moment, copy, problem }) => moment !== next && !copy && !problem);
    if (live.length === 0) return;
    try {
      const copy: Copy = { buffer: this.make("parameters.reading"), readers: live.length };
      this.backend.copy(this.store.parameters, copy.buffer);
      for (const source of live) source.copy = copy;
    } catch (error) {
      // Only the reading fails. The training beside it goes on.
      for (const source of live) source.problem = { error };
    }
  }

  async run<T>({ moment, upload, copy, problem }: Source, run: () => Promise<T>): Promise<T> {
    if (problem) throw problem.error;
    if (!copy) {
      if (moment !== this.store.moment) await upload?.(true);
      return run();
    }
    // Recordings are bound to the live buffer, so the copy is swapped in: three copies, and nothing is prepared again.
    this.aside ??= this.make("parameters.aside");
    this.backend.copy(this.store.parameters, this.aside);
    this.backend.copy(copy.buffer, this.store.parameters);
    this.swapped = true;
    try {
      await upload?.(false);
      return await run();
    } finally {
      this.restore();
    }
  }

  /** Puts the live parameters in their place, if `run` uses a copy there. Must be called before they are read outside a turn. */
  restore(): void {
    if (this.swapped) this.backend.copy(this.aside!, this.store.parameters);
    this.swapped = false;
  }

  close(source: Source): void {
    if (!this.open.delete(source)) return;
    this.dropped.unregister(source);
    const { copy } = source;
    if (copy && --copy.readers === 0) this.backend.free(copy.buffer);
    if (this.open.size === 0) this.free();
    this.store.release();
  }

  /** Gives all memory back. */
  free(): void {
    for (const { copy } of this.open) if (copy && --copy.readers === 0) this.backend.free(copy.buffer);
    this.open.clear();
    if (this.aside) this.backend.free(this.aside);
    this.aside = undefined;
  }

  private make(label: string): DeviceBuffer {
    return this.backend.createBuffer(label, "f32", this.store.parameters.length);
  }
}

/** The readings of these parameters. */
export const readingsOf = (store: ParameterStore): Readings => (store.readings ??= new Readings(store));

/** Opens readings of several models' parameters, all of one moment. The caller closes them. */
export function openReadings(sessions: readonly Session[]): Promise<Reading[]> {
  const stores = sessions.map(({ store }) => store);
  const things = stores.flatMap((store) => store.things);
  return inTurn(things, async () => {
    await Promise.all(stores.map((store) => store.fetch()));
    return stores.map((store) => {
      store.upload();
      return readingsOf(store).add(store.moment);
    });
  });
}

/** Calls `read` with readings of one moment, and closes them. */
export async function whileReading<T>(sessions: readonly Session[], read: (...readings: Reading[]) => Promise<T>): Promise<T> {
  const readings = await openReadings(sessions);
  try {
    return await read(...readings);
  } finally {
    for (const reading of readings) reading.close();
  }
}
