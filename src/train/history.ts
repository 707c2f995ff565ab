/** What a step changes besides what the optimiser does: carried states and running statistics, as they were before it. */
import type { DeviceBuffer, Fill } from "../backend/backend.ts";
import type { CarriedStates } from "../session/carried-states.ts";
import type { Session } from "../session/session.ts";

/** Copies of one thing: of the moment before each step in flight, before the last good one, and before the one to come. */
const copies = 6;
/** Things and sizes whose copies are kept, so that batches of ever new sizes do not fill the device. */
const mostPools = 64;

/** Copies of one thing. */
interface Pool {
  readonly all: DeviceBuffer[];
  spare: DeviceBuffer[];
}

/** Copies of one moment. */
export interface Kept {
  /** By label. */
  readonly carried: readonly (readonly [string, DeviceBuffer])[];
  readonly statistics: DeviceBuffer | undefined;
}

/**
 * The latest moments of a run, since the host learns that a step has failed when some later ones have been submitted.
 * A step fills the copies itself, before its pass, so that they cost neither a submit nor a dispatch.
 */
export class History {
  /** By label and length; the latest made stands last. */
  private readonly pools = new Map<string, Pool>();

  constructor(
    private readonly session: Session,
    private readonly carried: CarriedStates,
  ) {}

  /**
   * Keeps this moment.
   * @param states where carried states lie
   * @returns the copies, and what fills them: to be done first in the next run
   */
  keep(states: ReadonlyMap<string, DeviceBuffer>): { kept: Kept; fills: Fill[] } {
    const { store } = this.session;
    const fills: Fill[] = [];
    const copy = (label: string, from: DeviceBuffer, offset: number, length: number): DeviceBuffer => {
      const to = this.take(label, length);
      fills.push({ to, from, offset });
      return to;
    };
    const carried = [...states].map(([label, buffer]) => [label, copy(label, buffer, 0, buffer.length)] as const);
    const statistics = store.keepsStatistics
      ? copy("statistics", store.parameters, store.trainedLength, store.length - store.trainedLength)
      : undefined;
    return { kept: { carried, statistics }, fills };
  }

  /** To be called when a moment is of no use any more. */
  release({ carried, statistics }: Kept): void {
    for (const copy of [...carried.map(([, one]) => one), ...(statistics ? [statistics] : [])])
      this.pools.get(keyOf(copy.label, copy.length))?.spare.push(copy);
  }

  /** No moment is of any use any more. */
  releaseAll(): void {
    for (const pool of this.pools.values()) pool.spare = [...pool.all];
  }

  /** Goes back to a moment. Only in a turn. */
  restore({ carried, statistics }: Kept): void {
    const { backend, store } = this.session;
    this.carried.take(carried);
    if (!statistics) return;
    store.readings.keep();
    backend.copy(statistics, store.parameters, store.trainedLength);
    store.changed();
  }

  free(): void {
    for (const key of this.pools.keys()) this.drop(key);
  }

  /** All copies of a thing are made with the first, so that nothing is created while steps are made. */
  private take(of: string, length: number): DeviceBuffer {
    const label = `${of}.before`;
    const key = keyOf(label, length);
    const make = (): DeviceBuffer => this.session.backend.createBuffer(label, "f32", length);
    let pool = this.pools.get(key);
    if (!pool) {
      this.makeRoom();
      const all = Array.from({ length: copies }, make);
      this.pools.set(key, (pool = { all, spare: [...all] }));
    }
    if (pool.spare.length === 0) pool.all.push((pool.spare[0] = make()));
    return pool.spare.pop()!;
  }

  private makeRoom(): void {
    for (const [key, { all, spare }] of this.pools) {
      if (this.pools.size < mostPools) return;
      if (spare.length === all.length) this.drop(key);
    }
  }

  private drop(key: string): void {
    for (const buffer of this.pools.get(key)!.all) this.session.backend.free(buffer);
    this.pools.delete(key);
  }
}

const keyOf = (label: string, length: number): string => `${length} ${label}`;
