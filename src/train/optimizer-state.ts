import type { DeviceBuffer } from "../backend/backend.ts";
import { checkNumber, RnnError } from "../errors.ts";
import { gradientNorm, gradientNormPartial, mostInOneGroup, normGroups } from "../kernels/gradient-norm.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import type { Buffer, View } from "../recording/recording.ts";
import type { RunContext } from "../session/run-context.ts";
import type { Session } from "../session/session.ts";
import { sizeOf } from "../tensor/shape.ts";
import { checkFinite, type FloatArray, type NumericArray, type Tensor } from "../tensor/tensor.ts";

/** Limits of the gradients' global norm and of each gradient; 0 is none. */
export interface Clipping {
  readonly clipNorm: number;
  readonly clipValue: number;
}

/** @throws RnnError `option` unless limits that are given are above 0 */
export function checkClipping(where: string, { clipNorm, clipValue }: Partial<Clipping>): Clipping {
  const limit = (name: string, value: unknown): number => (value === undefined ? 0 : checkNumber(where, name, value, { least: 0, open: true }));
  return { clipNorm: limit("clipNorm", clipNorm), clipValue: limit("clipValue", clipValue) };
}

/** The end of a training step: gradient norm, clipping, health, update; and the memory that these keep between steps. */
export class OptimizerState {
  private readonly buffers = new Map<string, DeviceBuffer>();
  private freed = false;

  constructor(private readonly optimizer: Optimizer, private readonly session: Session, private readonly clip: Clipping) {}

  /** Records loss, norm and update; downloads `loss` and `norm`. */
  record(context: Pick<RunContext, "recording" | "parameters" | "gradients" | "external">, losses: View, normalizer: View): void {
    const { recording } = context;
    const { trainedLength: length } = this.session.store;
    const norm = context.external("norm", [4]);
    const loss = recording.buffer("loss", [1]);
    let values = context.gradients;
    let squared = 0;
    if (length > mostInOneGroup) {
      values = recording.buffer("norm.partial", [normGroups]);
      squared = 1;
      recording.dispatch(gradientNormPartial, { gradients: context.gradients, partial: values }, { length, groups: normGroups });
    }
    recording.dispatch(gradientNorm, { values, losses, normalizer, loss, norm }, { length: sizeOf(values.shape), squared, rows: sizeOf(losses.shape), maxNorm: this.clip.clipNorm });
    const slots = this.optimizer.slots.map(({ name, used }) => context.external(`optimizer.${name}`, [used ? length : 1]));
    const lastGood = context.external("parameters.good", [length]);
    const control = recording.buffer("control", [4], "input");
    this.optimizer.record(recording, { parameters: context.parameters, gradients: context.gradients, lastGood, slots, norm, control }, length, this.clip.clipValue);
    recording.download("loss", loss);
    recording.download("norm", norm);
  }

  readonly memoryFor = (label: string, { type, length }: Buffer): DeviceBuffer => {
    const known = this.buffers.get(label);
    if (known && !known.freed) return known;
    if (this.freed) throw new RnnError("option", label, "has been freed: its trainer has been disposed of");
    const made = this.session.backend.createBuffer(label, type, length);
    this.buffers.set(label, made);
    return made;
  };

  /** Before a run, in a turn: healthy again, with the present parameters as the ones to fall back on. */
  async begin(): Promise<void> {
    const { backend, store } = this.session;
    await store.sync();
    this.start(await backend.read(store.parameters));
  }

  /** Healthy, with these parameters as the ones to fall back on. */
  start(parameters: NumericArray): void {
    const { backend, store: { trainedLength: length } } = this.session;
    backend.write(this.memoryFor("norm", { label: "norm", role: "external", type: "f32", length: 4 }), [0, 1, 1, 0]);
    backend.write(this.memoryFor("parameters.good", { label: "parameters.good", role: "external", type: "f32", length }), parameters.slice(0, length));
  }

  /** `<slot>.<parameter>` in file order, as at the moment of the call. */
  async read(): Promise<Record<string, Tensor<FloatArray>>> {
    const slots = await Promise.all(this.usedSlots().map(async (name) => [name, await this.session.backend.read(this.slotBuffer(name))] as const));
    return Object.fromEntries(slots.flatMap(([name, flat]) => Object.entries(this.session.store.split(flat)).map(([path, value]) => [`${name}.${path}`, value])));
  }

  /** @throws RnnError `format` or `data` unless `values` are this optimiser's */
  check(values: Readonly<Record<string, Tensor>>): void {
    const expected = this.usedSlots().flatMap((slot) => this.session.store.trained.map(({ path, parameter }) => [`${slot}.${path}`, parameter.shape] as const));
    for (const [name, shape] of expected) {
      const value = values[name] as Tensor | undefined;
      if (!value) throw new RnnError("format", "checkpoint", `lacks "optimizer.${name}"`);
      if (value.shape.join() !== shape.join()) throw new RnnError("format", "checkpoint", `"optimizer.${name}" must be [${shape.join(", ")}], got [${value.shape.join(", ")}]`);
      checkFinite("checkpoint", `"optimizer.${name}"`, value.data);
    }
    const known = new Set<string>(expected.map(([name]) => name));
    const unknown = Object.keys(values).find((name) => !known.has(name));
    if (unknown !== undefined) throw new RnnError("format", "checkpoint", `has "optimizer.${unknown}", which this trainer's optimizer, with its options, does not keep`);
  }

  write(values: Readonly<Record<string, Tensor>>): void {
    for (const slot of this.usedSlots()) {
      const flat = this.session.backend.floats(this.session.store.trainedLength);
      for (const { path, parameter, offset } of this.session.store.trained) {
        flat.set(parameter.permuteToDevice(values[`${slot}.${path}`].data as FloatArray), offset);
      }
      this.session.backend.write(this.slotBuffer(slot), flat);
    }
  }

  free(): void {
    this.freed = true;
    for (const buffer of this.buffers.values()) this.session.backend.free(buffer);
    this.buffers.clear();
  }

  private usedSlots(): string[] {
    return this.optimizer.slots.filter((s) => s.used).map((s) => s.name);
  }

  private slotBuffer(name: string): DeviceBuffer {
    const label = `optimizer.${name}`;
    return this.memoryFor(label, { label, role: "external", type: "f32", length: this.session.store.trainedLength });
  }
}
