/** The states of a stream's rows, or a copy of them. */
import { checkInteger, RnnError, show } from "../errors.ts";
import { decodeSafetensors, encodeSafetensors } from "../io/safetensors.ts";
import { isA, takeEntries } from "../options.ts";
import { sameShape, sizeOf, type Shape } from "../tensor/shape.ts";
import { finite, takeTensor, type TensorLike } from "../tensor/take.ts";
import type { FloatArray, NumericArray, Tensor } from "../tensor/tensor.ts";
import { printed, printSymbol } from "./printed.ts";

/** One state: its path, its shape [layers, batch, units], and its numbers, as they are at the moment of the call. */
export interface StatePart {
  readonly path: string;
  readonly shape: Shape;
  readonly numbers: () => FloatArray;
  /** What one row of it begins with, [layers, units]; undefined for zeros. */
  readonly first?: () => FloatArray | undefined;
}

const where = "stream.state";
const words = (shape: Shape): string => `[${shape.join(", ")}]`;

/**
 * The states of a stream: `stream.state` is always the present ones, `clone` makes a copy that stays as it is. Shapes
 * and paths are those that `forward` takes and gives: [layers, batch, units] of `h`, and `rnn.h` inside a Sequential.
 */
export class StreamState {
  /** The shape of each state, by path. */
  readonly shapes: Readonly<Record<string, Shape>>;
  /** Number of rows, the stream's `batch`. */
  readonly rows: number;
  /** Numbers that the states of one row have together, as `readRow` gives them. */
  readonly rowLength: number;

  /** @internal */
  constructor(
    private readonly parts: readonly StatePart[],
    rows: number,
  ) {
    this.rows = rows;
    this.shapes = Object.fromEntries(parts.map(({ path, shape }) => [path, shape]));
    this.rowLength = parts.reduce((sum, { shape }) => sum + sizeOf(shape) / rows, 0);
  }

  /**
   * Copies of the states, by path. `forward` takes them as `state`.
   * @param row gives those of one row only: [layers, 1, units]
   */
  read(row?: number): Record<string, Tensor<FloatArray>> {
    return Object.fromEntries(
      this.parts.map(({ path, shape, numbers }) => {
        if (row === undefined) return [path, { shape, data: numbers().slice() }];
        const array = numbers();
        const data = array.slice(0, sizeOf(shape) / this.rows);
        eachOfRow(shape, this.checkRow(row), this.rows, (at, length, place) => copyNumbers(array, at, data, place, length));
        return [path, { shape: ofOneRow(shape, this.rows), data }];
      }),
    );
  }

  /**
   * Replaces all states: by those of another `StreamState`, or by tensors, as `forward` gives them in `state`.
   * @param row replaces those of one row only, by tensors [layers, 1, units]
   * @throws RnnError `shape` or `data` if a state is missing, unknown, of another shape, or not finite; nothing has
   * changed then
   */
  write(states: StreamState | Readonly<Record<string, TensorLike>>, row?: number): void {
    if (row !== undefined) this.checkRow(row);
    const given = new Map(takeEntries(where, "states", "tensors by path", isA(states, StreamState) ? states.read() : states));
    const known = this.parts.map(({ path }) => path);
    const other = [...given.keys()].find((path) => !known.includes(path)) ?? known.find((path) => !given.has(path));
    if (other !== undefined)
      throw new RnnError(
        "shape",
        where,
        `the states must be ${known.join(", ") || "none"}, got ${[...given.keys()].join(", ") || "none"}; these belong to another model`,
      );
    const taken = this.parts.map(({ path, shape, numbers }) => {
      const tensor = takeTensor(where, `"${path}"`, given.get(path), finite);
      const expected = row === undefined ? shape : ofOneRow(shape, this.rows);
      if (!sameShape(tensor.shape, expected))
        throw new RnnError("shape", where, `"${path}" must be ${words(expected)}, got ${words(tensor.shape)}`);
      return { shape, numbers, data: tensor.data };
    });
    for (const { shape, numbers, data } of taken) {
      const array = numbers();
      if (row === undefined) array.set(data);
      else eachOfRow(shape, row, this.rows, (at, length, place) => copyNumbers(data, place, array, at, length));
    }
  }

  /** A copy that later steps do not change. */
  clone(): StreamState {
    const parts = this.parts.map(({ path, shape, numbers, first }) => {
      const [copy, start] = [numbers().slice(), first?.()?.slice()];
      return { path, shape, numbers: () => copy, first: () => start };
    });
    return new StreamState(parts, this.rows);
  }

  /** The states as a file: safetensors with one tensor for each state. */
  toBytes(): Uint8Array<ArrayBuffer> {
    return encodeSafetensors(this.read());
  }

  /**
   * Replaces all states by those of a file that `toBytes` has made.
   * @throws RnnError `format` if the bytes are damaged, and as `write` does; nothing has changed then
   */
  fromBytes(bytes: Uint8Array | ArrayBuffer): void {
    this.write(decodeSafetensors(bytes).tensors);
  }

  /**
   * A copy of one row's states: `rowLength` numbers, whose order only `writeRow` knows.
   * @param into where to put them (default: a new array)
   */
  readRow(row: number, into: Float32Array = new Float32Array(this.rowLength)): Float32Array {
    this.move(row, into, false);
    return into;
  }

  /**
   * Replaces one row's states by what `readRow` gave, of any row of a stream of the same model.
   * @throws RnnError `shape` unless it is `rowLength` numbers, `data` if one is not finite
   */
  writeRow(row: number, values: Float32Array): void {
    this.checkRowValues(row, values);
    for (let i = 0; i < values.length; i++)
      if (!Number.isFinite(values[i]))
        throw new RnnError("data", where, `the states of a row must be finite, got ${values[i]} at index ${i}`);
    this.move(row, values, true);
  }

  /** Sets the states of a row, or of all, to those that the model begins with: zeros, unless it has others. */
  reset(row?: number): void {
    if (row !== undefined) this.checkRow(row);
    for (const { shape, numbers, first } of this.parts) {
      const [start, array] = [first?.(), numbers()];
      if (start === undefined && row === undefined) array.fill(0);
      else
        for (let r = row ?? 0; r <= (row ?? this.rows - 1); r++)
          eachOfRow(shape, r, this.rows, (at, length, place) => {
            if (start === undefined) array.fill(0, at, at + length);
            else copyNumbers(start, place, array, at, length);
          });
    }
  }

  /** Begins the rows anew that still have the states which the model began with before. @internal */
  startAnew(before: ReadonlyMap<string, FloatArray>): void {
    const sameRow = (row: number): boolean =>
      this.parts.every(({ path, shape, numbers }) => {
        const [start, array] = [before.get(path), numbers()];
        let same = true;
        eachOfRow(shape, row, this.rows, (at, length, place) => {
          for (let i = 0; i < length; i++) same &&= array[at + i] === (start?.[place + i] ?? 0);
        });
        return same;
      });
    for (let row = 0; row < this.rows; row++) if (sameRow(row)) this.reset(row);
  }

  /** @internal */
  [printSymbol](): string {
    return printShapes("StreamState", this.shapes);
  }

  private checkRowValues(row: number, values: Float32Array): void {
    this.checkRow(row);
    if (!isA(values, Float32Array) || values.length !== this.rowLength)
      throw new RnnError("shape", where, `the states of a row are a Float32Array of ${this.rowLength} numbers, got ${describe(values)}`);
  }

  private move(row: number, values: Float32Array, isWrite: boolean): void {
    this.checkRowValues(row, values);
    let start = 0;
    for (const { shape, numbers } of this.parts) {
      const array = numbers();
      eachOfRow(shape, row, this.rows, (at, length, place) => {
        if (isWrite) copyNumbers(values, start + place, array, at, length);
        else copyNumbers(array, at, values, start + place, length);
      });
      start += sizeOf(shape) / this.rows;
    }
  }

  private checkRow(row: number): number {
    return checkInteger(where, "row", row, 0, this.rows - 1);
  }
}

/** States by their shapes. */
export const printShapes = (name: string, shapes: Readonly<Record<string, Shape>>): string =>
  printed(name, Object.fromEntries(Object.entries(shapes).map(([path, shape]) => [path, words(shape)])));

const describe = (value: unknown): string => (isA(value, Float32Array) ? String(value.length) : show(value));

/** The shape of one row's state, of that of all. A stream of one row may have states of any shape. */
const ofOneRow = (shape: Shape, rows: number): Shape => (rows === 1 ? shape : shape.map((size, axis) => (axis === 1 ? 1 : size)));

/**
 * Calls `use` with the start and the length of each piece of a row, in a state [layers, rows, units], and with the start of
 * the piece in the row's own state.
 */
export function eachOfRow(shape: Shape, row: number, rows: number, use: (at: number, length: number, place: number) => void): void {
  const length = sizeOf(shape) / shape[0] / rows;
  for (let layer = 0; layer < shape[0]; layer++) use((layer * rows + row) * length, length, layer * length);
}

/** Copies without the view that `subarray` would leave behind; all of an array at once, which is faster. */
export function copyNumbers(from: ArrayLike<number>, fromAt: number, to: NumericArray, toAt: number, length: number): void {
  if (fromAt === 0 && from.length === length) to.set(from, toAt);
  else for (let i = 0; i < length; i++) to[toAt + i] = from[fromAt + i];
}
