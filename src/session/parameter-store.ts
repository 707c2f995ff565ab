import type { Backend, DeviceBuffer } from "../backend/backend.ts";
import type { Module } from "../nn/module.ts";
import { Parameter, type ParameterHolder } from "../nn/parameter.ts";
import { inTurn, isTaken } from "../nn/turns.ts";
import { RnnError } from "../errors.ts";
import { align, alignment } from "../kernels/kernel.ts";
import { subview, type View } from "../recording/recording.ts";
import type { FloatArray, NumericArray, Tensor } from "../tensor/tensor.ts";
import type { Readings } from "./reading.ts";

export interface Place {
  readonly path: string;
  readonly parameter: Parameter;
  /** Elements from the start of the flat buffer, aligned so that the parameter can be bound by itself. */
  readonly offset: number;
  /** The parameter's version that the device holds. */
  version: number;
  /** The parameter's version that was last checked to fit half precision. */
  fitting: number;
}

/** A parameter's values of some moment. */
export interface Held {
  readonly place: Place;
  readonly version: number;
  /** Default: the latest. */
  readonly values?: FloatArray;
}

/** A number for each parameter that changes with its values, whoever changes them. */
export type Versions = ReadonlyMap<Parameter, number>;

/**
 * A model's parameters on one backend: one flat buffer for all of them and one for their gradients, made when they are
 * first needed. Trainable parameters come first, so both buffers have the same offsets.
 */
export class ParameterStore implements ParameterHolder {
  readonly places: ReadonlyMap<string, Place>;
  readonly placed: readonly Place[];
  readonly length: number;
  /** Elements of `gradients`, and of the trainable part of `parameters`; running statistics come behind them. */
  readonly trainedLength: number;
  private readonly buffers = new Map<"parameters" | "gradients", DeviceBuffer>();
  private freed = false;
  /**
   * Stands for the present values of the parameters here. Every change of them puts another object here; only its
   * identity matters.
   */
  moment: object = {};
  /** Values of an earlier moment, for reads after the device is lost. */
  fallback: ((parameter: Parameter) => FloatArray) | undefined;
  /** The objects that turns on this model queue for: its parameters, which other backends and models may share. */
  readonly things: readonly object[];
  /** Computations in several turns that read the parameters here, since the first of them. */
  readings: Readings | undefined;
  /** Number of recordings, also of those that are being made, and of open readings. */
  users = 0;

  constructor(
    model: Module,
    readonly backend: Backend,
  ) {
    const places = new Map<string, Place>();
    let offset = 0;
    const all = [...model.namedParameters()];
    const place = (isStatistic: boolean): void => {
      for (const [path, parameter] of all) {
        if (parameter.isStatistic !== isStatistic) continue;
        places.set(path, { path, parameter, offset, version: -1, fitting: -1 });
        offset += align(parameter.deviceSize);
      }
    };
    place(false);
    this.trainedLength = Math.max(offset, alignment);
    place(true);
    this.places = places;
    this.placed = [...places.values()];
    this.length = Math.max(offset, alignment);
    // The model itself must not be among them: the store would keep it alive, and its memory would never be freed.
    this.things = all.length > 0 ? all.map(([, parameter]) => parameter) : [this];
  }

  /** Runs `act` in a turn: nobody else uses the model's parameters meanwhile, on any backend. */
  inTurn<T>(act: () => T | Promise<T>): Promise<T> {
    return inTurn(this.things, act);
  }

  get parameters(): DeviceBuffer {
    return this.bufferOf("parameters");
  }

  get gradients(): DeviceBuffer {
    return this.bufferOf("gradients");
  }

  /** The memory of the external buffer with this label, if it is `parameters` or `gradients`. */
  memoryOf(label: string): DeviceBuffer | undefined {
    return label === "parameters" || label === "gradients" ? this.bufferOf(label) : undefined;
  }

  private bufferOf(name: "parameters" | "gradients"): DeviceBuffer {
    const known = this.buffers.get(name);
    if (known && !known.freed) return known;
    if (this.freed) throw new RnnError("option", "model", "has been disposed of; make a new one");
    const made = this.backend.createBuffer(name, "f32", name === "parameters" ? this.length : this.trainedLength);
    this.buffers.set(name, made);
    if (name === "parameters") this.forget();
    return made;
  }

  /** Without a buffer, or in a new one, the values must come from the host again. */
  private forget(): void {
    for (const place of this.placed) place.version = -1;
  }

  /** Uploads the parameters that have changed elsewhere since the last run. Only in a turn. */
  async sync(): Promise<void> {
    await this.fetch();
    this.upload();
  }

  /** Whether parameters have changed elsewhere since the last upload. Allocates nothing. */
  get isStale(): boolean {
    const { placed } = this;
    for (let i = 0; i < placed.length; i++) if (placed[i].version !== placed[i].parameter.version) return true;
    return false;
  }

  /**
   * As `sync`, at once and outside a turn. False, and nothing is uploaded, while a turn of others is going on, or if a
   * device cannot give its values at once.
   */
  syncNow(): boolean {
    if (isTaken(this.things) || !Parameter.readAllNow(this.stale().map(({ parameter }) => parameter))) return false;
    this.upload();
    return true;
  }

  /** First half of `sync`: reads back to the host what other devices have changed. */
  async fetch(): Promise<void> {
    await Parameter.readAll(this.stale().map(({ parameter }) => parameter));
  }

  /** Second half of `sync`: uploads the host's values. */
  upload(): void {
    // Setting values on the host takes no turn, so they may have changed: look again.
    const stale = this.stale().map((place) => ({ place, version: place.parameter.version }));
    this.take(stale, this.readings?.latestMoment() ?? {});
  }

  /** Uploads values, of a moment that is later than the device's. */
  take(all: readonly Held[], moment: object): void {
    if (all.length === 0) return;
    this.readings?.copyForReaders(moment);
    this.moment = moment;
    for (const one of all) {
      this.put(one);
      one.place.version = one.version;
    }
  }

  /** Uploads a parameter's values, by default the latest. */
  put({ place: { parameter, offset }, values = parameter.hostValues }: Pick<Held, "place" | "values">): void {
    this.backend.write(this.parameters, parameter.permuteToDevice(values), offset);
  }

  /** The parameters that have changed elsewhere since the last upload. */
  stale(): Place[] {
    return this.placed.filter(({ version, parameter }) => version !== parameter.version);
  }

  /** Uploads these values, whatever the model has. */
  write(values: Readonly<Record<string, Tensor<FloatArray>>>): void {
    this.moment = {};
    for (const place of this.placed) this.put({ place, values: values[place.path].data });
  }

  /** Must be called after a run that changed the parameters here, in the same turn. */
  changed(): void {
    this.moment = {};
    for (const place of this.placed) {
      // Values that the host set during the run are newer, and stay.
      if (place.version !== place.parameter.version) continue;
      place.parameter.newest = this;
      place.version = ++place.parameter.version;
    }
  }

  async read(): Promise<(parameter: Parameter) => FloatArray> {
    let flat: FloatArray;
    try {
      flat = (await this.backend.read(this.parameters)) as FloatArray;
    } catch (error) {
      if (!this.fallback || (this.backend.ended !== "lost" && this.backend.ended !== "failed")) throw error;
      return this.fallback;
    }
    return this.partsOf(flat);
  }

  readNow(): ((parameter: Parameter) => FloatArray) | undefined {
    const flat = this.backend.readNow?.(this.parameters) as FloatArray | undefined;
    return flat && this.partsOf(flat);
  }

  /** Parameters in device order, of what the flat buffer held. */
  private partsOf(flat: FloatArray): (parameter: Parameter) => FloatArray {
    const places = new Map(this.placed.map((place) => [place.parameter, place]));
    return (parameter) => {
      const { offset } = places.get(parameter)!;
      return flat.slice(offset, offset + parameter.deviceSize);
    };
  }

  /** The result of `read` as tensors by name, in file order. */
  tensors(read: (parameter: Parameter) => FloatArray): Record<string, Tensor<FloatArray>> {
    return Object.fromEntries(
      this.placed.map(({ path, parameter }) => [path, { shape: parameter.shape, data: parameter.fromDevice(read(parameter)) }]),
    );
  }

  /** Versions of the parameters on the device. Values that came during a computation are not in them. */
  get versions(): Versions {
    return new Map(this.placed.map(({ parameter, version }) => [parameter, version]));
  }

  /** The parameters that have other values than at these versions. */
  changedSince(versions: Versions): Parameter[] {
    return this.placed.map(({ parameter }) => parameter).filter((parameter) => parameter.version !== versions.get(parameter));
  }

  /** The part of the flat buffer that belongs to `path`, in device order. */
  viewOf(path: string, flat: View): View {
    const { offset, parameter } = this.places.get(path)!;
    return subview(flat, offset, parameter.deviceShape);
  }

  get parametersByPath(): ReadonlyMap<string, Parameter> {
    return new Map(this.placed.map(({ path, parameter }) => [path, parameter]));
  }

  /** Places of the trainable parameters, frozen or not. */
  get learnable(): Place[] {
    return this.placed.filter(({ parameter }) => !parameter.isStatistic);
  }

  /** Places of the trainable parameters that are not frozen. */
  get trained(): Place[] {
    return this.learnable.filter(({ parameter }) => parameter.trainable);
  }

  /** Paths of the trained parameters. */
  get learnt(): string[] {
    return this.trained.map(({ path }) => path);
  }

  /** Which parameters are frozen, as a text: recordings that differentiate depend on it. */
  get frozen(): string {
    return this.learnable.map(({ parameter }) => (parameter.trainable ? "+" : "-")).join("");
  }

  /** True if a forward pass in training changes running statistics. */
  get keepsStatistics(): boolean {
    return this.places.size > this.learnable.length;
  }

  /** Splits a flat host array (gradients, or an optimiser's state) into tensors by name, in file order. */
  split(flat: NumericArray, places = this.learnable): Record<string, Tensor<FloatArray>> {
    return Object.fromEntries(
      places.map(({ path, parameter, offset }) => {
        const data = parameter.fromDevice(flat.slice(offset, offset + parameter.deviceSize) as FloatArray);
        return [path, { shape: parameter.shape, data }];
      }),
    );
  }

  /** Must be called when a recording could not be made, or a reading has ended: without any, nothing stays allocated. */
  release(): void {
    if (--this.users === 0) this.clear();
  }

  /** Frees the memory for now. Only allowed while nobody has trained the parameters here. */
  clear(): void {
    this.readings?.free();
    for (const buffer of this.buffers.values()) this.backend.free(buffer);
    this.buffers.clear();
    this.forget();
  }

  /** Frees the memory for good. Parameters that other modules share are read back to the host first. */
  free(): void {
    if (this.freed) return;
    this.freed = true;
    const shared = this.placed.filter(({ parameter }) => parameter.newest === this && parameter.owners > 0);
    if (shared.length > 0) {
      this.readings?.restore();
      const reading = this.read();
      for (const { parameter } of shared) parameter.newest = { read: () => reading, readNow: () => undefined };
      // Whoever asks for the values gets the error.
      Parameter.readAll(shared.map(({ parameter }) => parameter)).catch(() => undefined);
    }
    this.clear();
  }
}
