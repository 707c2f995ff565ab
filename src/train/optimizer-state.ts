import type { DeviceBuffer } from "../backend/backend.ts";
import { checkNumber, RnnError } from "../errors.ts";
import { gradientNorm, gradientNormPartial, mostInOneGroup, mostUnclippedNorm, normGroups } from "../kernels/gradient-norm.ts";
import { align } from "../kernels/kernel.ts";
import { keptLength } from "../kernels/optimizers.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import { subview, type Buffer, type View } from "../recording/recording.ts";
import type { RunContext } from "../session/run-context.ts";
import type { Session } from "../session/session.ts";
import { sizeOf } from "../tensor/shape.ts";
import type { FloatArray, Tensor } from "../tensor/tensor.ts";

/** Limits of the gradients' global norm and of each gradient; 0 means no limit. */
export interface Clipping {
  readonly clipNorm: number;
  readonly clipValue: number;
}

/** @throws RnnError `option` if a limit is given and not above 0 */
export function checkClipping(where: string, { clipNorm, clipValue }: Partial<Clipping>): Clipping {
  const limit = (name: string, value: unknown): number =>
    value === undefined ? 0 : checkNumber(where, name, value, { least: 0, open: true });
  return { clipNorm: limit("clipNorm", clipNorm), clipValue: limit("clipValue", clipValue) };
}

type RecordingContext = Pick<RunContext, "recording" | "parameters" | "gradients" | "external">;

const controlLabel = (group: number): string => (group === 0 ? "control" : `control.${group}`);

/** What one update changes, given what is frozen now. */
export interface Update {
  /** Differs between updates that need different recordings. */
  readonly key: string;
  /** Paths of the parameters that it changes. */
  readonly paths: readonly string[];
  /** Parts of the flat buffers that it changes. The parameters of a group have had the same number of updates. */
  readonly ranges: readonly { readonly offset: number; readonly length: number; readonly group: number }[];
  /** Number of updates so far, by group. */
  readonly counts: readonly number[];
}

/**
 * The end of a training step: gradient norm, clipping, health and update, with the memory that these keep between
 * steps.
 */
export class OptimizerState {
  private readonly buffers = new Map<string, DeviceBuffer>();
  private freed = false;
  /**
   * Number of updates so far, by path. It can be below the number of steps: some steps learn nothing, and parameters
   * may be frozen.
   */
  private counts = new Map<string, number>();

  constructor(
    private readonly optimizer: Optimizer,
    readonly session: Session,
    private readonly clip: Clipping,
  ) {}

  /** The next update. @throws RnnError `option` if everything is frozen */
  nextUpdate(): Update {
    const { trained, learnable } = this.session.store;
    if (trained.length === 0 && learnable.length > 0)
      throw new RnnError("option", "Trainer", "every parameter of the model is frozen; unfreeze those that are to be learnt");
    const ranges: { offset: number; length: number; group: number }[] = [];
    const counts: number[] = [];
    for (const { path, parameter, offset } of trained) {
      const count = this.counts.get(path) ?? 0;
      const found = counts.indexOf(count);
      const group = found < 0 ? counts.push(count) - 1 : found;
      const length = align(parameter.deviceSize);
      const last = ranges.at(-1);
      if (last?.group === group && last.offset + last.length === offset) last.length += length;
      else ranges.push({ offset, length, group });
    }
    if (counts.length === 0) counts.push(0);
    return {
      key: ranges.map(({ offset, length, group }) => `${offset}+${length}:${group}`).join(),
      paths: trained.map(({ path }) => path),
      ranges,
      counts,
    };
  }

  /** Records loss, norm and update; downloads `loss` and `norm`. */
  record(context: RecordingContext, losses: View, normalizer: View, update: Update): void {
    const { recording } = context;
    const norm = context.external("norm", [4]);
    const loss = recording.buffer("loss", [1]);
    this.recordNorm(context, { losses, normalizer, loss, norm });
    this.recordUpdate(context, norm, update);
    recording.download("loss", loss);
    recording.download("norm", norm);
  }

  private recordNorm({ recording, gradients }: RecordingContext, views: { losses: View; normalizer: View; loss: View; norm: View }): void {
    const { trainedLength: length } = this.session.store;
    const { clipNorm, clipValue } = this.clip;
    let values = gradients;
    let squared = 0;
    if (length > mostInOneGroup) {
      values = recording.buffer("norm.partial", [normGroups]);
      squared = 1;
      recording.dispatch(gradientNormPartial, { gradients, partial: values }, { length, groups: normGroups });
    }
    const mostNorm = clipNorm === 0 && clipValue === 0 ? mostUnclippedNorm : 0;
    recording.dispatch(
      gradientNorm,
      { values, ...views },
      { length: sizeOf(values.shape), squared, rows: sizeOf(views.losses.shape), maxNorm: clipNorm, mostNorm },
    );
  }

  private recordUpdate(context: RecordingContext, norm: View, { ranges, counts }: Update): void {
    const { recording, parameters, gradients } = context;
    const { trainedLength: length } = this.session.store;
    const slots = this.optimizer.slots.map(({ name, used }) => ({
      view: context.external(`optimizer.${name}`, [used ? length : 1]),
      used,
    }));
    const copies = 1 + this.usedSlots().length;
    const lastGood = context.external("lastGood", [keptLength(length, copies - 1)]);
    const control = counts.map((_, group) => recording.buffer(controlLabel(group), [4], "input"));
    for (const { offset, length: part, group } of ranges) {
      const of = (view: View): View => subview(view, offset, [part]);
      const views = {
        parameters: of(parameters),
        gradients: of(gradients),
        lastGood: subview(lastGood, offset * copies, [part * copies]),
        slots: slots.map(({ view, used }) => (used ? of(view) : view)),
        norm,
        control: control[group],
      };
      this.optimizer.record(recording, views, part, this.clip.clipValue);
    }
  }

  /**
   * Inputs that the host writes for an update in step `step` (from 0); the learning rate is the first number of each.
   */
  controls({ counts }: Update, step: number): Record<string, Float64Array> {
    const controls = counts.map((count) => Float64Array.from(this.optimizer.control(step, count)));
    // A schedule may be the caller's function and return something else the next time.
    for (const one of controls) one[0] = controls[0][0];
    return Object.fromEntries(controls.map((one, group) => [controlLabel(group), one]));
  }

  /** Must be called when an update has been submitted, in the same turn. */
  updated({ paths }: Update): void {
    for (const path of paths) this.counts.set(path, (this.counts.get(path) ?? 0) + 1);
  }

  /** Updates so far, by path. */
  get updates(): ReadonlyMap<string, number> {
    return new Map(this.session.store.learnable.map(({ path }) => [path, this.counts.get(path) ?? 0]));
  }

  set updates(counts: ReadonlyMap<string, number>) {
    this.counts = new Map(counts);
  }

  readonly memoryFor = (label: string, { type, length }: Buffer): DeviceBuffer => {
    const known = this.buffers.get(label);
    if (known && !known.freed) return known;
    if (this.freed) throw new RnnError("option", label, "has been freed: its trainer has been disposed of");
    const made = this.session.backend.createBuffer(label, type, length);
    this.buffers.set(label, made);
    return made;
  };

  /** Called before a run: sets `healthy` to 1 and declares `lastGood` empty. */
  begin(): void {
    this.session.backend.write(this.memoryFor("norm", { label: "norm", role: "external", type: "f32", length: 4 }), [0, 1, 1, 0]);
  }

  /** True if all steps submitted since `begin`, up to the moment of the call, were healthy. */
  async isHealthy(): Promise<boolean> {
    const norm = this.buffers.get("norm");
    return norm === undefined || (await this.session.backend.read(norm))[2] !== 0;
  }

  /**
   * The optimiser's state at the moment of the call, as a function that returns it by `<slot>.<parameter>` in file
   * order.
   */
  async read(): Promise<() => Record<string, Tensor<FloatArray>>> {
    const slots = await Promise.all(
      this.usedSlots().map(async (name) => [name, await this.session.backend.read(this.slotBuffer(name))] as const),
    );
    return () =>
      Object.fromEntries(
        slots.flatMap(([name, flat]) => Object.entries(this.session.store.split(flat)).map(([path, value]) => [`${name}.${path}`, value])),
      );
  }

  free(): void {
    this.freed = true;
    for (const buffer of this.buffers.values()) this.session.backend.free(buffer);
    this.buffers.clear();
  }

  /** Names of what the optimiser keeps for each parameter. */
  usedSlots(): string[] {
    return this.optimizer.slots.filter((s) => s.used).map((s) => s.name);
  }

  slotBuffer(name: string): DeviceBuffer {
    const label = `optimizer.${name}`;
    return this.memoryFor(label, { label, role: "external", type: "f32", length: this.session.store.trainedLength });
  }
}
