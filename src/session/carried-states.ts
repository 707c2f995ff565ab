import type { Backend, DeviceBuffer, Fill } from "../backend/backend.ts";
import { RnnError } from "../errors.ts";
import type { Buffer, View } from "../recording/recording.ts";
import type { NumericArray } from "../tensor/tensor.ts";

/** Sizes of batches whose buffers are kept. */
const mostSizes = 16;

/** States that stay on the device from run to run, by the labels of a context's externals. */
export class CarriedStates {
  /** By length and label: batches of different numbers of rows have different buffers. */
  private readonly bySize = new Map<string, DeviceBuffer>();
  /** Those that hold what the last run ended with. */
  private readonly present = new Map<string, DeviceBuffer>();
  private freed = false;

  constructor(private readonly backend: Backend) {}

  /** The memory of an external buffer; zeros the first time. */
  readonly memoryFor = (label: string, { type, length }: Pick<Buffer, "type" | "length">): DeviceBuffer => {
    const key = `${length} ${label}`;
    const known = this.bySize.get(key);
    if (known && !known.freed) return known;
    if (this.freed) throw new RnnError("option", label, "has been freed: its trainer has been disposed of");
    const made = this.backend.createBuffer(label, type, length);
    this.bySize.set(key, made);
    return made;
  };

  /**
   * Before a run with these externals.
   * @param starts whether it begins with zeros, else it goes on with what the last one ended with
   * @returns what the run does first
   * @throws RnnError `shape` if it goes on with states of another number of rows; nothing has changed then
   */
  begin(externals: ReadonlyMap<string, View>, starts: boolean): Fill[] {
    const carried = [...externals]
      .filter(([label]) => label.startsWith("carried."))
      .map(([label, { buffer }]) => ({ label, next: this.memoryFor(label, buffer), before: this.present.get(label) }));
    const other = carried.find(({ next, before }) => before && before !== next);
    if (other && !starts) {
      throw new RnnError(
        "shape",
        other.label,
        `carries ${other.before!.length} numbers, but this batch needs ${other.next.length}; keep the number of rows, or let a batch of another one start its sequences (startsSequence: true)`,
      );
    }
    for (const { label, next } of carried) this.present.set(label, next);
    return carried.filter(({ before }) => starts || !before).map(({ next }) => ({ to: next }));
  }

  /** Where everything carried lies at this moment, by label. */
  get buffers(): ReadonlyMap<string, DeviceBuffer> {
    return new Map(this.present);
  }

  /** Everything carried at the moment of the call, by label. */
  async read(): Promise<Record<string, NumericArray>> {
    return Object.fromEntries(
      await Promise.all([...this.present].map(async ([label, buffer]) => [label, await this.backend.read(buffer)] as const)),
    );
  }

  /** Takes over what `read` gave; what it lacks begins with zeros. */
  write(values: Readonly<Record<string, NumericArray>>): void {
    this.fill(Object.entries(values), (data, buffer) => this.backend.write(buffer, data));
  }

  /** Takes over copies of `buffers`; what they lack begins with zeros. */
  take(copies: Iterable<readonly [string, DeviceBuffer]>): void {
    this.fill(copies, (copy, buffer) => this.backend.copy(copy, buffer));
  }

  private fill<T extends { readonly length: number }>(
    values: Iterable<readonly [string, T]>,
    fill: (value: T, buffer: DeviceBuffer) => void,
  ): void {
    this.present.clear();
    for (const [label, value] of values) {
      const buffer = this.memoryFor(label, { type: "f32", length: value.length });
      this.present.set(label, buffer);
      fill(value, buffer);
    }
  }

  /** Whether so many different numbers of rows have come that buffers had better be given back. */
  get isFull(): boolean {
    return this.bySize.size > mostSizes * Math.max(1, this.present.size);
  }

  /** Frees what the last run did not use. Recordings that were made with it may not run again. */
  freeOthers(): void {
    const used = new Set(this.present.values());
    for (const [key, buffer] of this.bySize) {
      if (used.has(buffer)) continue;
      this.backend.free(buffer);
      this.bySize.delete(key);
    }
  }

  free(): void {
    this.freed = true;
    this.present.clear();
    this.freeOthers();
  }
}
