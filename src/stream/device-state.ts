/** The states of a stream on a device. */
import type { Backend, DeviceBuffer } from "../backend/backend.ts";
import { decodeSafetensors } from "../io/safetensors.ts";
import type { Reading } from "../session/reading.ts";
import { sizeOf, type Shape } from "../tensor/shape.ts";
import type { TensorLike } from "../tensor/take.ts";
import type { FloatArray, Tensor } from "../tensor/tensor.ts";
import type { DeviceFirstStates } from "./device-first-states.ts";
import { printSymbol } from "./printed.ts";
import { eachOfRow, printShapes, StreamState } from "./stream-state.ts";

/** Where the device keeps a state [layers, rows, units]. */
export interface DevicePart {
  readonly path: string;
  readonly shape: Shape;
  readonly buffer: DeviceBuffer;
}

/** Runs `act` after what was called earlier on the same stream, with the parameters of the moment of the call. */
export type InOrder = <T>(act: (reading: Reading) => T | Promise<T>) => Promise<T>;

/**
 * The states of a stream on a device. Each call sees the steps that were called before it, and none of those after it,
 * also while results are on their way.
 */
export class DeviceState {
  /** The shape of each state, by path: [layers, batch, units]. */
  readonly shapes: Readonly<Record<string, Shape>>;

  /** @internal */
  constructor(
    private readonly backend: Backend,
    private readonly parts: readonly DevicePart[],
    /** Number of rows, the stream's `batch`. */
    readonly rows: number,
    private readonly inOrder: InOrder,
    /** What sequences begin with, if not with zeros. */
    private readonly first: DeviceFirstStates | undefined,
  ) {
    this.shapes = Object.fromEntries(parts.map(({ path, shape }) => [path, shape]));
  }

  /** Numbers that the states of one row have together, as `readRow` gives them. */
  get rowLength(): number {
    return this.stateOf([]).rowLength;
  }

  /** A copy that later steps do not change. */
  async clone(): Promise<StreamState> {
    const { reads } = await this.inOrder(async (reading) => {
      await this.first?.fill(reading);
      return { reads: Promise.all(this.parts.map(({ buffer }) => this.backend.read(buffer))) };
    });
    return this.stateOf((await reads) as FloatArray[]);
  }

  /** As `read` of a stream on the CPU. */
  async read(row?: number): Promise<Record<string, Tensor<FloatArray>>> {
    return (await this.clone()).read(row);
  }

  /**
   * Replaces all states, or those of one row, before the next step.
   * @throws RnnError as `write` of a stream on the CPU does; nothing has changed then
   */
  async write(states: StreamState | Readonly<Record<string, TensorLike>>, row?: number): Promise<void> {
    await this.change(row, (state) => state.write(states, row));
  }

  /** As `readRow` of a stream on the CPU. */
  async readRow(row: number, into?: Float32Array): Promise<Float32Array> {
    return (await this.clone()).readRow(row, into);
  }

  /** As `writeRow` of a stream on the CPU, before the next step. */
  async writeRow(row: number, values: Float32Array): Promise<void> {
    await this.change(row, (state) => state.writeRow(row, values));
  }

  /** The states as a file: safetensors with one tensor for each state. */
  async toBytes(): Promise<Uint8Array<ArrayBuffer>> {
    return (await this.clone()).toBytes();
  }

  /** Replaces all states by those of a file that `toBytes` has made, here or on the CPU. @throws RnnError `format`, and as `write` does */
  async fromBytes(bytes: Uint8Array | ArrayBuffer): Promise<void> {
    await this.write(decodeSafetensors(bytes).tensors);
  }

  /** Sets the states of a row, or of all, to those that the model begins with, before the next step. */
  async reset(row?: number): Promise<void> {
    await this.change(
      row,
      (state) => state.reset(row),
      () => this.first?.mark(row),
    );
  }

  /** @internal */
  [printSymbol](): string {
    return printShapes("DeviceState", this.shapes);
  }

  /** Makes new states of a row, or of all, and writes them before the next step; `then` comes in the same turn. */
  private async change(row: number | undefined, make: (state: StreamState) => void, then?: () => void): Promise<void> {
    const arrays = this.parts.map(({ shape }) => new Float32Array(sizeOf(shape)));
    make(this.stateOf(arrays));
    await this.inOrder(() => {
      this.put(arrays, row);
      this.first?.unmark(row === undefined ? undefined : [row]);
      then?.();
    });
  }

  private stateOf(arrays: readonly FloatArray[]): StreamState {
    return new StreamState(
      this.parts.map(({ path, shape }, i) => ({ path, shape, numbers: () => arrays[i] })),
      this.rows,
    );
  }

  /** Writes states to the device, or those of one row. */
  private put(arrays: readonly Float32Array[], row: number | undefined): void {
    this.parts.forEach(({ shape, buffer }, i) => {
      if (row === undefined) this.backend.write(buffer, arrays[i]);
      else
        eachOfRow(shape, row, this.rows, (at, length) => {
          this.backend.write(buffer, arrays[i].subarray(at, at + length), at);
        });
    });
  }
}
