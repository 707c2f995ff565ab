import type { Backend, DeviceBuffer, Fill } from "../backend/backend.ts";
import { RnnError } from "../errors.ts";
import type { Buffer, View } from "../recording/recording.ts";
import type { NumericArray } from "../tensor/tensor.ts";

/** The number of batch sizes whose buffers are kept. */
const mostSizes = 16;

/** States that stay on the device from run to run, by the labels of a context's externals. */
export class CarriedStates {
  /** By length and label: batches with different numbers of rows have different buffers. */
  private readonly bySize = new Map<string, DeviceBuffer>();
  /** The buffers with the final states of the last run. */
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
   * @param starts true: the run begins sequences; false: it begins with the final states of the last run
   * @param begins whether the recording itself begins with the model's first states; else sequences begin with zeros
   * @returns clears that the run does first
   * @throws RnnError `shape` if the carried states have another number of rows; nothing has changed then
   */
  begin(externals: ReadonlyMap<string, View>, starts: boolean, begins = false): Fill[] {
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
    return begins ? [] : carried.filter(({ before }) => starts || !before).map(({ next }) => ({ to: next }));
  }

  /** True if nothing is carried yet: the next run begins sequences. */
  get isEmpty(): boolean {
    return this.present.size === 0;
  }

  /** The buffers that hold the carried states now, by label. */
  get buffers(): ReadonlyMap<string, DeviceBuffer> {
    return new Map(this.present);
  }

  /** The carried states at the moment of the call, by label. */
  async read(): Promise<Record<string, NumericArray>> {
    return Object.fromEntries(
      await Promise.all([...this.present].map(async ([label, buffer]) => [label, await this.backend.read(buffer)] as const)),
    );
  }

  /** Replaces the carried states by the result of `read`; states that are missing there begin with zeros. */
  write(values: Readonly<Record<string, NumericArray>>): void {
    this.fill(Object.entries(values), (data, buffer) => this.backend.write(buffer, data));
  }

  /** Replaces the carried states by copies of `buffers`; states that are missing there begin with zeros. */
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

  /** True once there are buffers for so many batch sizes that the old ones should be freed. */
  get isFull(): boolean {
    return this.bySize.size > mostSizes * Math.max(1, this.present.size);
  }

  /** Frees the buffers that the last run did not use. Recordings that use them must not run again. */
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
