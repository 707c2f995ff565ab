/** Backups of what a training step changes besides the optimiser's update: carried states and running statistics. */
import type { DeviceBuffer, Fill } from "../backend/backend.ts";
import type { CarriedStates } from "../session/carried-states.ts";
import type { Session } from "../session/session.ts";

/** Most buffers and sizes whose copies are kept, so that batches of ever new sizes do not fill the device. */
const mostPools = 64;

/** The copies of one buffer. */
interface Pool {
  readonly all: DeviceBuffer[];
  spare: DeviceBuffer[];
}

/** Carried states and statistics as they were before one step. */
export interface Backup {
  /** By label. */
  readonly carried: readonly (readonly [string, DeviceBuffer])[];
  readonly statistics: DeviceBuffer | undefined;
}

/**
 * Keeps the backups of the latest steps, because the host learns that a step has failed only after later ones have been
 * submitted. A step fills its backup itself, before its pass, so a backup costs neither a submit nor a dispatch.
 */
export class History {
  /** Copies of each buffer: one for each step in flight (four), one for the last good step, one for the next step. */
  readonly copies = 6;
  /** By label and length; the newest is last. */
  private readonly pools = new Map<string, Pool>();

  constructor(
    private readonly session: Session,
    private readonly carried: CarriedStates,
  ) {}

  /**
   * Makes a backup of the present states and statistics.
   * @param states the buffers of carried states, by label
   * @returns the backup, and the copies that fill it; the next run must do these first
   */
  backUp(states: ReadonlyMap<string, DeviceBuffer>): { backup: Backup; fills: Fill[] } {
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
    return { backup: { carried, statistics }, fills };
  }

  /** Must be called when a backup is no longer needed. */
  release({ carried, statistics }: Backup): void {
    for (const copy of [...carried.map(([, one]) => one), ...(statistics ? [statistics] : [])])
      this.pools.get(keyOf(copy.label, copy.length))?.spare.push(copy);
  }

  /** Releases all backups. */
  releaseAll(): void {
    for (const pool of this.pools.values()) pool.spare = [...pool.all];
  }

  /** Restores a backup. Only in a turn. */
  restore({ carried, statistics }: Backup): void {
    const { backend, store } = this.session;
    this.carried.take(carried);
    if (!statistics) return;
    store.readings?.copyForReaders();
    backend.copy(statistics, store.parameters, store.trainedLength);
    store.changed();
  }

  free(): void {
    for (const key of this.pools.keys()) this.drop(key);
  }

  /** The first call makes all copies of a buffer, so that later steps create nothing. */
  private take(of: string, length: number): DeviceBuffer {
    const label = `${of}.before`;
    const key = keyOf(label, length);
    const make = (): DeviceBuffer => this.session.backend.createBuffer(label, "f32", length);
    let pool = this.pools.get(key);
    if (!pool) {
      this.makeRoom();
      const all = Array.from({ length: this.copies }, make);
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
