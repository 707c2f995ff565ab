import type { Backend, DeviceBuffer } from "../backend/backend.ts";
import type { Module } from "../nn/module.ts";
import type { Parameter } from "../nn/parameter.ts";
import { align, alignment } from "../kernels/kernel.ts";
import { subview, type View } from "../recording/recording.ts";
import type { FloatArray, NumericArray, Tensor } from "../tensor/tensor.ts";

interface Place {
  readonly path: string;
  readonly parameter: Parameter;
  /** Elements from the start of the flat buffer, aligned so that the parameter can be bound by itself. */
  readonly offset: number;
  /** The parameter's version that the device holds. */
  version: number;
}

/**
 * A model's parameters on one backend: one flat buffer, and one for the gradients of those that are learnt, which come
 * first; made when asked for.
 */
export class ParameterStore {
  readonly places: ReadonlyMap<string, Place>;
  readonly length: number;
  /** Elements of `parameters` that are learnt, and of `gradients`. */
  readonly trainedLength: number;
  private readonly buffers = new Map<"parameters" | "gradients", DeviceBuffer>();

  constructor(model: Module, private readonly backend: Backend) {
    const places = new Map<string, Place>();
    let offset = 0;
    const all = [...model.namedParameters()];
    const place = (trainable: boolean): void => {
      for (const [path, parameter] of all) {
        if (parameter.trainable !== trainable) continue;
        places.set(path, { path, parameter, offset, version: -1 });
        offset += align(parameter.deviceSize);
      }
    };
    place(true);
    this.trainedLength = Math.max(offset, alignment);
    place(false);
    this.places = places;
    this.length = Math.max(offset, alignment);
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
    const made = this.buffers.get(name) ?? this.backend.createBuffer(name, "f32", name === "parameters" ? this.length : this.trainedLength);
    this.buffers.set(name, made);
    return made;
  }

  /** Uploads what has changed elsewhere since the last run. */
  async sync(): Promise<void> {
    for (const place of this.places.values()) {
      const { parameter } = place;
      if (place.version === parameter.version) continue;
      await parameter.newest?.pull();
      this.backend.write(this.parameters, parameter.toDevice(), place.offset);
      place.version = parameter.version;
    }
  }

  /** To be called after a run that changed the parameters here. */
  changed(): void {
    for (const place of this.places.values()) {
      place.parameter.newest = this;
      place.version = ++place.parameter.version;
    }
  }

  /** Hands the parameters' values to the host. */
  async pull(): Promise<void> {
    const flat = (await this.backend.read(this.parameters)) as FloatArray;
    for (const { parameter, offset } of this.places.values()) {
      if (parameter.newest === this) parameter.pulled(flat.slice(offset, offset + parameter.deviceSize));
    }
  }

  /** The part of a view on the whole flat buffer that belongs to `path`, in device order. */
  viewOf(path: string, flat: View): View {
    const { offset, parameter } = this.places.get(path)!;
    return subview(flat, offset, parameter.deviceShape);
  }

  /** Places of the parameters that are learnt. */
  get trained(): Place[] {
    return [...this.places.values()].filter(({ parameter }) => parameter.trainable);
  }

  /** Whether a forward pass in training changes something. */
  get keepsStatistics(): boolean {
    return this.places.size > this.trained.length;
  }

  /** Splits a flat host array (gradients, or an optimiser's state) into tensors by name, in file order. */
  split(flat: NumericArray): Record<string, Tensor<FloatArray>> {
    return Object.fromEntries(this.trained.map(({ path, parameter, offset }) => {
      const data = parameter.fromDevice(flat.slice(offset, offset + parameter.deviceSize) as FloatArray);
      return [path, { shape: parameter.shape, data }];
    }));
  }

  free(): void {
    for (const buffer of this.buffers.values()) this.backend.free(buffer);
    this.buffers.clear();
  }
}
