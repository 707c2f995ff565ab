import { allocating, checkBoolean, checkCount, checkFunction, checkInteger, RnnError, show } from "../errors.ts";
import { sameShape, sizeOf, type Shape } from "../tensor/shape.ts";
import { finite, takeShape, takeTensor } from "../tensor/take.ts";
import type { FloatArray } from "../tensor/tensor.ts";
import { deviceSizeOf, reordered } from "./gate-order.ts";
import { drawFrom, type Initializer } from "./initializers.ts";

/** A device copy that has newer values of parameters than the host. */
export interface ParameterHolder {
  /** Its values at the moment of the call, in device order; later runs do not change them. */
  read(): Promise<(parameter: Parameter) => FloatArray>;
  /** The same at once; undefined if the device cannot answer while the caller waits. */
  readNow(): ((parameter: Parameter) => FloatArray) | undefined;
}

/** Numbers that further parameters may have while a file's model is built; undefined at all other times. */
let room: number | undefined;

/**
 * Calls what builds a model whose values come from a file: nothing is drawn.
 * @param numbers how many the file holds
 * @throws RnnError `format` before an array is allocated, if the parameters together need more numbers
 */
export function withoutValues<T>(numbers: number, build: () => T): T {
  const before = room;
  room = numbers;
  try {
    return build();
  } finally {
    room = before;
  }
}

/** @throws RnnError `format` if the file whose model is being built has fewer numbers than these */
export function checkRoom(numbers: number): void {
  if (room !== undefined && !(numbers <= room))
    throw new RnnError("format", "loadModel", "the file describes layers that need more numbers than it holds");
}

/** More gates than any cell has; a cell has at most four. */
const mostGates = 16;

/**
 * A learnable array. Host values are in the order and shape that PyTorch's files have; on the device the rows of
 * recurrent weights are ordered [unit, gate] instead of [gate, unit], which `toDevice` and `fromDevice` convert.
 */
export class Parameter {
  /**
   * Host copy, in file order; outdated while `newest` is set. It is replaced, never written to, so whoever holds it
   * keeps its values.
   */
  private host: FloatArray;
  /** Counts changes, so that device copies know when they are out of date. */
  version = 0;
  /** The device copy that training has changed since the host copy was made, if there is one. */
  newest: ParameterHolder | undefined;
  /** Modules that have it as a parameter and have not been disposed of. */
  owners = 0;

  private learns: boolean;

  /** Sizes of each axis, in file order. */
  readonly shape: Shape;

  /** @throws RnnError `shape` unless it is a list of sizes of at least 1, `limit` if the array would be too large */
  constructor(
    shape: Shape,
    readonly initializer: Initializer,
    /** Gates whose rows are interleaved on the device; 1 for everything that is not a recurrent layer's. */
    readonly gates = 1,
    /** For each gate of a unit on the device, its gate in files; -1 for zeros that files do not have. */
    readonly lanes: readonly number[] = Array.from({ length: checkInteger("Parameter", "gates", gates, 1, mostGates) }, (_, gate) => gate),
    /** True for running statistics, which are stored with the parameters but never learnt. */
    readonly isStatistic = false,
  ) {
    this.learns = !checkBoolean("Parameter", "isStatistic", isStatistic);
    this.shape = takeShape("Parameter", "a parameter", shape);
    if (!this.shape.every((n) => Number.isSafeInteger(n) && n >= 1))
      throw new RnnError("shape", "Parameter", `shape must be a list of sizes of at least 1, got ${show(shape)}`);
    checkFunction("Parameter", "initializer", initializer);
    if (gates > 1 && this.shape[0] % gates !== 0)
      throw new RnnError("shape", "Parameter", `rows must be a multiple of the ${gates} gates, got [${this.shape.join(", ")}]`);
    const what = `[${this.shape.join(", ")}]`;
    const size = checkCount("Parameter", what, sizeOf(this.shape));
    checkRoom(size);
    if (room !== undefined) room -= size;
    this.host = allocating("Parameter", what, () => new Float32Array(size));
  }

  /**
   * True if training changes it from the next step on. False while it is frozen (see `Module.freeze`), and for
   * statistics.
   */
  get trainable(): boolean {
    return this.learns;
  }

  /** @throws RnnError `option` for running statistics, which are not learnt */
  set trainable(value: boolean) {
    checkBoolean("Parameter", "trainable", value);
    if (value && this.isStatistic)
      throw new RnnError("option", "Parameter", "running statistics are not learnt: trainable must stay false");
    this.learns = value;
  }

  get size(): number {
    return this.host.length;
  }

  get deviceShape(): Shape {
    if (this.shape.length === 0) return this.shape;
    return [(this.shape[0] / this.gates) * this.lanes.length, ...this.shape.slice(1)];
  }

  get deviceSize(): number {
    return deviceSizeOf(this.size, this);
  }

  /** Replaces the values. */
  set(values: FloatArray): void {
    this.host = values.slice();
    this.version++;
    this.newest = undefined;
  }

  /** Draws the initial values. @throws RnnError `shape` or `data` if the initializer returns something else */
  draw(seed: number, stream: number): void {
    if (room !== undefined) return;
    const { shape } = this;
    const data = allocating("Parameter", `[${shape.join(", ")}]`, () => this.initializer(shape, drawFrom(seed, stream)));
    this.set(takeTensor("Parameter", "the initializer's values", { shape, data }, finite).data as FloatArray);
  }

  /** Values in file order, outdated while `newest` is set. They are replaced, never written to. @internal */
  get hostValues(): FloatArray {
    return this.host;
  }

  /** Converts values (for example an optimiser's) from file order to device order. */
  permuteToDevice(values: FloatArray): FloatArray {
    return this.permute(values, false);
  }

  /** Converts values or gradients from device order to file order. */
  fromDevice(values: FloatArray): FloatArray {
    return this.permute(values, true);
  }

  /**
   * Values of several parameters at this moment, in file order, read from wherever they are newest. All reads begin
   * before this returns.
   */
  static async readAll(parameters: readonly Parameter[]): Promise<FloatArray[]> {
    const reads = new Map<ParameterHolder, ReturnType<ParameterHolder["read"]>>();
    for (const { newest } of parameters) if (newest && !reads.has(newest)) reads.set(newest, newest.read());
    const moment = parameters.map(({ host, version, newest }) => ({ host, version, newest }));
    await Promise.all(reads.values());
    return Promise.all(
      parameters.map(async (parameter, i) => {
        const { host, version, newest } = moment[i];
        if (!newest) return host;
        const values = parameter.fromDevice((await reads.get(newest)!)(parameter));
        // Meanwhile training may have changed them again, or the app may have set new values.
        if (parameter.version === version) {
          parameter.host = values;
          parameter.newest = undefined;
        }
        return values;
      }),
    );
  }

  /** As `readAll`, at once; false if a device cannot answer while the caller waits. The values are then on the host. */
  static readAllNow(parameters: readonly Parameter[]): boolean {
    const holders = new Set(parameters.flatMap(({ newest }) => newest ?? []));
    const reads = new Map([...holders].map((holder) => [holder, holder.readNow()]));
    if ([...reads.values()].includes(undefined)) return false;
    for (const parameter of parameters) {
      if (!parameter.newest) continue;
      parameter.host = parameter.fromDevice(reads.get(parameter.newest)!(parameter));
      parameter.newest = undefined;
    }
    return true;
  }

  private permute(values: FloatArray, back: boolean): FloatArray {
    return reordered(values, this.size, this.shape[0], this, back);
  }
}

/** Checks a value for a parameter. @throws RnnError `format` or `data`, naming the parameter */
export function checkParameterValue(name: string, parameter: Parameter, value: unknown): FloatArray {
  const { shape, data } = takeTensor("loadStateDict", `"${name}"`, value, finite);
  if (!sameShape(shape, parameter.shape)) {
    throw new RnnError("format", "loadStateDict", `"${name}" must be [${parameter.shape.join(", ")}], got ${show([...shape])}`);
  }
  return data as FloatArray;
}
