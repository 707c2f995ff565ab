import type { Backend, DeviceBuffer } from "../backend/backend.ts";
import type { Module } from "../nn/module.ts";
import { Parameter, type ParameterHolder } from "../nn/parameter.ts";
import { inTurn } from "../nn/turns.ts";
import { RnnError } from "../errors.ts";
import { align, alignment } from "../kernels/kernel.ts";
import { subview, type Recording, type View } from "../recording/recording.ts";
import type { FloatArray, NumericArray, Tensor } from "../tensor/tensor.ts";
import { Readings } from "./reading.ts";

interface Place {
  readonly path: string;
  readonly parameter: Parameter;
  /** Elements from the start of the flat buffer, aligned so that the parameter can be bound by itself. */
  readonly offset: number;
  /** The parameter's version that the device holds. */
  version: number;
  /** The version that has been found to fit half precision. */
  fitting: number;
}

/** The largest number of half precision. */
const mostHalf = 65504;

/**
 * A model's parameters on one backend: one flat buffer, and one for the gradients of those that are learnt, which come
 * first; made when asked for.
 */
export class ParameterStore implements ParameterHolder {
  readonly places: ReadonlyMap<string, Place>;
  readonly length: number;
  /** Elements of `parameters` that can be learnt, and of `gradients`; statistics come behind them. */
  readonly trainedLength: number;
  private readonly buffers = new Map<"parameters" | "gradients", DeviceBuffer>();
  private freed = false;
  /** What the parameters here are, told apart by identity: another object whenever they change. */
  moment: object = {};
  /** What it was at some moment, for whoever reads when the device is lost. */
  fallback: ((parameter: Parameter) => FloatArray) | undefined;
  /** What acts on this model have in common with acts on it elsewhere, and on models that share parameters with it. */
  readonly things: readonly object[];
  /** Computations in several pieces that read the parameters here. */
  readonly readings: Readings;

  constructor(
    model: Module,
    private readonly backend: Backend,
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
    this.length = Math.max(offset, alignment);
    // Not the model itself: what frees its memory when nobody holds it any more must not hold it.
    this.things = all.length > 0 ? all.map(([, parameter]) => parameter) : [this];
    this.readings = new Readings(backend, () => this.parameters);
  }

  /** Does `act` when nobody else uses the model's parameters, on whatever backend. */
  inTurn<T>(act: () => T | Promise<T>): Promise<T> {
    return inTurn(this.things, act);
  }

  get parameters(): DeviceBuffer {
    return this.bufferOf("parameters");
  }

  get gradients(): DeviceBuffer {
    return this.bufferOf("gradients");
  }

  /** What an external buffer of this label has here, if it is one of the two. */
  memoryOf(label: string): DeviceBuffer | undefined {
    return label === "parameters" || label === "gradients" ? this.bufferOf(label) : undefined;
  }

  private bufferOf(name: "parameters" | "gradients"): DeviceBuffer {
    const known = this.buffers.get(name);
    if (known && !known.freed) return known;
    if (this.freed) throw new RnnError("option", "model", "has been disposed of; make a new one");
    const made = this.backend.createBuffer(name, "f32", name === "parameters" ? this.length : this.trainedLength);
    this.buffers.set(name, made);
    // The values have to come from the host, if they had come at all.
    if (name === "parameters") for (const place of this.places.values()) place.version = -1;
    return made;
  }

  /** Brings up to date what has changed elsewhere since the last run. Only in a turn. */
  async sync(): Promise<void> {
    await this.fetch();
    this.upload();
  }

  /** First half of `sync`: hands the host what other devices have changed. */
  async fetch(): Promise<void> {
    await Parameter.readAll(this.stale().map(({ parameter }) => parameter));
  }

  /** Second half: takes the host's values. */
  upload(): void {
    // No turn holds back new values from the host, so this looks again.
    const stale = this.stale();
    if (stale.length > 0) {
      this.readings.keep();
      this.moment = {};
    }
    for (const place of stale) {
      this.backend.write(this.parameters, place.parameter.toDevice(), place.offset);
      place.version = place.parameter.version;
    }
  }

  /** @throws RnnError `data`, naming the parameter, if the host's values of recurrent weights are more than half precision holds */
  checkHalves(): void {
    for (const place of this.places.values()) {
      const { path, parameter } = place;
      // What training has changed on the device is its numbers, which are judged by the loss.
      if (!/(^|\.)weight_hh_/.test(path) || place.fitting === parameter.version || parameter.newest) continue;
      const values = parameter.hostValues;
      const bad = values.findIndex((value) => Math.abs(value) > mostHalf);
      if (bad >= 0)
        throw new RnnError(
          "data",
          path,
          `has ${values[bad]} at index ${bad}, but storage "float16" holds numbers up to 65504; use storage "float32", or smaller weights`,
        );
      place.fitting = parameter.version;
    }
  }

  private stale(): Place[] {
    return [...this.places.values()].filter(({ version, parameter }) => version !== parameter.version);
  }

  /** Takes these values, whatever the model's are. */
  write(values: Readonly<Record<string, Tensor<FloatArray>>>): void {
    this.moment = {};
    for (const { path, parameter, offset } of this.places.values())
      this.backend.write(this.parameters, parameter.permuteToDevice(values[path].data), offset);
  }

  /** To be called after a run that changed the parameters here, in the same turn. */
  changed(): void {
    this.moment = {};
    for (const place of this.places.values()) {
      // New values from the host that came during the run are the later change.
      if (place.version !== place.parameter.version) continue;
      place.parameter.newest = this;
      place.version = ++place.parameter.version;
    }
  }

  async read(): Promise<(parameter: Parameter) => FloatArray> {
    const places = new Map([...this.places.values()].map((place) => [place.parameter, place]));
    let flat: FloatArray;
    try {
      flat = (await this.backend.read(this.parameters)) as FloatArray;
    } catch (error) {
      if (!this.fallback || (this.backend.ended !== "lost" && this.backend.ended !== "failed")) throw error;
      return this.fallback;
    }
    return (parameter) => {
      const { offset } = places.get(parameter)!;
      return flat.slice(offset, offset + parameter.deviceSize);
    };
  }

  /** All values by name, in file order, of what `read` gave. */
  tensors(read: (parameter: Parameter) => FloatArray): Record<string, Tensor<FloatArray>> {
    return Object.fromEntries(
      [...this.parametersByPath].map(([path, parameter]) => [
        path,
        { shape: parameter.shape, data: parameter.fromDevice(read(parameter)) },
      ]),
    );
  }

  /** Another one after every change of a parameter, whoever makes it, and when others are frozen. */
  get version(): string {
    return `${[...this.places.values()].reduce((sum, { parameter }) => sum + parameter.version, 0)} ${this.frozen}`;
  }

  /** Values that have come from elsewhere since the last run here. */
  changedElsewhere(): Promise<(readonly [Parameter, FloatArray])[]> {
    return this.inTurn(async () => {
      const parameters = this.stale().map(({ parameter }) => parameter);
      const values = await Parameter.readAll(parameters);
      return parameters.map((parameter, i) => [parameter, values[i]] as const);
    });
  }

  /** The part of a view on the whole flat buffer that belongs to `path`, in device order. */
  viewOf(path: string, flat: View): View {
    const { offset, parameter } = this.places.get(path)!;
    return subview(flat, offset, parameter.deviceShape);
  }

  get parametersByPath(): ReadonlyMap<string, Parameter> {
    return new Map([...this.places.values()].map(({ path, parameter }) => [path, parameter]));
  }

  /** Places of the parameters that can be learnt, frozen or not. */
  get learnable(): Place[] {
    return [...this.places.values()].filter(({ parameter }) => !parameter.isStatistic);
  }

  /** Those that are not frozen. */
  get trained(): Place[] {
    return this.learnable.filter(({ parameter }) => parameter.trainable);
  }

  /** Which parameters are frozen: recordings that differentiate are different ones. */
  get frozen(): string {
    return this.learnable.map(({ parameter }) => (parameter.trainable ? "+" : "-")).join("");
  }

  /** Records that gradients are zero where none is recorded, before the first dispatch. */
  clearFrozen(recording: Recording, gradients: View): void {
    for (const { parameter, offset } of this.learnable) {
      if (!parameter.trainable) recording.clearFirst(subview(gradients, offset, [align(parameter.deviceSize)]));
    }
  }

  /** Whether a forward pass in training changes something. */
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

  /** Frees the memory for now; nobody may have trained the parameters here. */
  clear(): void {
    this.readings.free();
    for (const buffer of this.buffers.values()) this.backend.free(buffer);
    this.buffers.clear();
  }

  /** Frees the memory for good. What other modules have of the parameters goes to the host first. */
  free(): void {
    if (this.freed) return;
    this.freed = true;
    const shared = [...this.places.values()].filter(({ parameter }) => parameter.newest === this && parameter.owners > 0);
    if (shared.length > 0) {
      const reading = this.read();
      for (const { parameter } of shared) parameter.newest = { read: () => reading };
      // Whoever asks for the values gets the error.
      Parameter.readAll(shared.map(({ parameter }) => parameter)).catch(() => undefined);
    }
    this.clear();
  }
}
