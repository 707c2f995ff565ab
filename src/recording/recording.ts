/**
 * A recording: the commands of a forward pass or a whole training step as plain data over named buffers. Nothing
 * here knows a device; backends interpret it (CPU) or encode it anew for each submit (WebGPU).
 */
import { RnnError } from "../errors.ts";
import { alignment, type Bindings, type ElementType, type Kernel, type Params, type ParamTypes } from "../kernels/kernel.ts";
import { anyCpu, type Target } from "./target.ts";
import { stridedCopy } from "../kernels/strided-copy.ts";
import type { NumericArray } from "../tensor/tensor.ts";
import { sizeOf, type Shape } from "../tensor/shape.ts";

/**
 * - `external`: lives longer than the recording (parameters, optimiser state, carried states); the session binds it
 * - `input`: written by the host before each run
 * - `constant`: always holds `data`
 * - `transient`: exists within a run; may share memory with others that are not needed at the same time
 */
export type BufferRole = "external" | "input" | "constant" | "transient";

export interface Buffer {
  /** `<module>.<buffer>`, unique among the inputs of its recording and among all others; the GPU label too. */
  readonly label: string;
  readonly role: BufferRole;
  readonly type: ElementType;
  /** Number of elements (four bytes each; eight for "f32" on a float64 backend). */
  readonly length: number;
  readonly data?: NumericArray;
}

/** A contiguous part of a buffer. `offset` is a multiple of 64 elements wherever a kernel binds it. */
export interface View {
  readonly buffer: Buffer;
  readonly offset: number;
  readonly shape: Shape;
}

export interface Dispatch {
  readonly kind: "dispatch";
  readonly kernel: Kernel;
  readonly views: Readonly<Record<string, View>>;
  readonly params: Readonly<Record<string, number>>;
}

export type Command =
  | Dispatch
  | { readonly kind: "copy"; readonly from: View; readonly to: View }
  | { readonly kind: "clear"; readonly view: View }
  | { readonly kind: "download"; readonly name: string; readonly view: View };

/** The part of `view` that starts `offset` elements in. */
export function subview(view: View, offset: number, shape: Shape): View {
  return { buffer: view.buffer, offset: view.offset + offset, shape };
}

/**
 * The smallest part of the buffer that contains `view` and may be bound, and the number of its elements before the
 * view.
 */
export function bindable({ buffer, offset, shape }: View): { view: View; before: number } {
  const before = offset % alignment;
  return { view: { buffer, offset: offset - before, shape: [before + sizeOf(shape)] }, before };
}

export const overlap = (one: View, other: View): boolean =>
  one.offset < other.offset + sizeOf(other.shape) && other.offset < one.offset + sizeOf(one.shape);

/** Collects commands. Every op goes through these methods, which check what a device would refuse later. */
export class Recording {
  readonly buffers: Buffer[] = [];
  readonly commands: Command[] = [];
  /**
   * Number of derived commands, which are the first ones. Their results depend on settled buffers only, and stay valid
   * until these change.
   */
  derived = 0;
  private readonly own = new Set<Buffer>();
  private isClosed = false;
  private readonly labels = new Map<string, number>();
  private readonly settled = new Set<Buffer>();
  private prologue = 0;
  /** Where commands are added: the list, or while `derive` records, its own list. */
  private list = this.commands;

  /** @param target the device that it is for */
  constructor(readonly target: Target = anyCpu) {}

  buffer(label: string, shape: Shape, role: BufferRole = "transient", type: ElementType = "f32", data?: NumericArray): View {
    this.checkOpen(label);
    // The host writes an input by its label, so the labels of inputs are separate from those of a model's buffers.
    const key = `${role === "input"} ${label}`;
    const seen = this.labels.get(key) ?? 0;
    this.labels.set(key, seen + 1);
    const buffer: Buffer = { label: seen ? `${label}#${seen + 1}` : label, role, type, length: Math.max(1, sizeOf(shape)), data };
    this.buffers.push(buffer);
    this.own.add(buffer);
    return { buffer, offset: 0, shape };
  }

  dispatch<B extends Bindings, P extends ParamTypes>(
    kernel: Kernel<B, P>,
    views: { readonly [K in keyof B]: View },
    params: Params<P>,
  ): void {
    for (const [name, binding] of Object.entries(kernel.bindings)) {
      const view = this.checked(views[name]);
      if (view.buffer.type !== binding.type)
        throw new RnnError("shape", kernel.name, `${name} must hold ${binding.type}, got ${view.buffer.type} (${view.buffer.label})`);
      if (view.offset % alignment !== 0)
        throw new RnnError(
          "shape",
          kernel.name,
          `${name} must start at a multiple of ${alignment} elements, got ${view.offset} (${view.buffer.label})`,
        );
      const clash =
        binding.access === "read_write" &&
        Object.entries(kernel.bindings).find(
          ([other, { access }]) =>
            other !== name && views[other].buffer === view.buffer && (access !== "read_write" || overlap(view, views[other])),
        );
      if (clash) throw new RnnError("shape", kernel.name, `${name} is written and may not share ${view.buffer.label} with ${clash[0]}`);
    }
    this.list.push({ kind: "dispatch", kernel: kernel as unknown as Kernel, views, params });
  }

  copy(from: View, to: View): void {
    this.list.push({ kind: "copy", from: this.checked(from), to: this.checked(to) });
  }

  /** Forbids further commands: whoever prepares the recording relies on that. */
  close(): void {
    this.isClosed = true;
  }

  private checkOpen(label: string): void {
    if (this.isClosed)
      throw new RnnError(
        "option",
        label,
        "belongs to a forward pass that is over; a Context is of use only during the call of forward that got it",
      );
  }

  /** @throws RnnError `option` if the view belongs to another recording: a module has kept a Variable, say */
  checked(view: View): View {
    const { label } = view.buffer;
    this.checkOpen(label);
    if (!this.own.has(view.buffer))
      throw new RnnError(
        "option",
        label,
        "was computed in another forward pass; a Variable is of use only during the call of forward that made it. Make it anew there; ops.constant takes numbers that you keep",
      );
    return view;
  }

  /**
   * Declares that a buffer changes between runs only, and that the caller of a run tells when (`RunOptions.moment`).
   */
  settle({ buffer }: View): void {
    this.settled.add(buffer);
  }

  /** True if all these views are settled: results that depend on them alone can be derived. */
  isSettled(views: readonly View[]): boolean {
    return views.every(({ buffer }) => this.settled.has(buffer));
  }

  /**
   * Records what depends on `from` only, such as packed weights. If all of `from` is settled, the commands go to the
   * front of the list, the buffers that they write become settled too, and a run skips them while nothing has changed.
   * Otherwise the commands stay here.
   */
  derive<T>(from: readonly View[], record: () => T): T {
    if (this.list !== this.commands || !this.isSettled(from)) return record();
    const collected: Command[] = [];
    this.list = collected;
    try {
      return record();
    } finally {
      this.list = this.commands;
      this.commands.splice(this.derived, 0, ...collected);
      this.derived += collected.length;
      for (const { buffer } of collected.flatMap((command) => usesOf(command).writes)) this.settled.add(buffer);
    }
  }

  /**
   * Records a copy before the first dispatch, because between dispatches it would end the compute pass. Nothing
   * recorded so far may write `to`. If this recording itself computes `from`, the copy stays here and is a dispatch.
   */
  copyFirst(from: View, to: View): void {
    if (from.buffer.role === "transient") {
      const [source, target] = [bindable(from), bindable(to)];
      this.dispatch(
        stridedCopy,
        { input: source.view, output: target.view },
        {
          size0: 1,
          size1: 1,
          size2: sizeOf(from.shape),
          fromOffset: source.before,
          from0: 0,
          from1: 0,
          from2: 1,
          toOffset: target.before,
          to0: 0,
          to1: 0,
          to2: 1,
          accumulate: 0,
        },
      );
      return;
    }
    this.first({ kind: "copy", from: this.checked(from), to: this.checked(to) });
  }

  clearFirst(view: View): void {
    this.first({ kind: "clear", view: this.checked(view) });
  }

  private first(command: Command): void {
    if (this.list === this.commands) this.commands.splice(this.derived + this.prologue++, 0, command);
    else this.list.unshift(command);
  }

  /** Hands `view` to the host after the run, under `name`. */
  download(name: string, view: View): void {
    this.commands.push({ kind: "download", name, view: this.checked(view) });
  }

  /** Number of dispatches. */
  get dispatches(): number {
    return this.commands.filter((c) => c.kind === "dispatch").length;
  }
}

/** The views a command reads and writes. */
export function usesOf(command: Command): { reads: View[]; writes: View[] } {
  switch (command.kind) {
    case "dispatch": {
      const entries = Object.entries(command.kernel.bindings);
      return {
        reads: entries.map(([name]) => command.views[name]),
        writes: entries.filter(([, b]) => b.access === "read_write").map(([name]) => command.views[name]),
      };
    }
    case "copy":
      return { reads: [command.from], writes: [command.to] };
    case "clear":
      return { reads: [], writes: [command.view] };
    case "download":
      return { reads: [command.view], writes: [] };
  }
}

const printView = ({ buffer, offset, shape }: View): string => `${buffer.label}${offset ? `+${offset}` : ""}[${shape.join(", ")}]`;

/**
 * A listing for people: one line for each command, with kernel, bindings and params in the contract's order. Successive
 * dispatches of one kernel over the same buffers are folded.
 */
export function print(recording: Recording): string {
  const lines: string[] = [];
  let last = "";
  let folded = 0;
  const flush = (): void => {
    if (folded) lines.push(`     ... ${folded} more of it`);
    folded = 0;
  };
  recording.commands.forEach((command, index) => {
    const head = String(index).padStart(4);
    if (command.kind !== "dispatch") {
      flush();
      last = "";
      const what = command.kind === "copy" ? `${printView(command.from)} -> ${printView(command.to)}` : printView(command.view);
      lines.push(`${head} ${command.kind} ${what}`);
      return;
    }
    const { bindings, params: paramTypes } = command.kernel;
    const views = Object.keys(bindings)
      .map((name) => `${name}=${printView(command.views[name])}`)
      .join(" ");
    const same = `${command.kernel.name} ${views}`;
    if (same === last) {
      folded++;
      return;
    }
    flush();
    last = same;
    const groups = command.kernel.workgroups(command.params).join("x");
    const params = Object.keys(paramTypes)
      .map((name) => `${name}:${command.params[name]}`)
      .join(" ");
    lines.push(`${head} ${command.kernel.name} <${groups}> ${views} {${params}}`);
  });
  flush();
  return lines.join("\n");
}
