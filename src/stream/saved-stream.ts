/** Makes the description of a model's stream that `saveStream` writes. */
import { RnnError } from "../errors.ts";
import type { Module } from "../nn/module.ts";
import { planMemory } from "../recording/lifetimes.ts";
import { staying, usesOf, type Buffer, type Command, type View } from "../recording/recording.ts";
import { carriedLabel, type RunContext } from "../session/run-context.ts";
import { namesItself } from "../saving/model-file.ts";
import { sizeOf } from "../tensor/shape.ts";
import type { FloatArray, Tensor } from "../tensor/tensor.ts";
import { sharedBackend } from "./create-stream.ts";
import { rowSizes } from "./executor.ts";
import { folded } from "./fold-calls.ts";
import { stepSizes } from "./frames.ts";
import type { ModelExecutor } from "./model-executor.ts";
import { streamOf, type FrameOptions } from "./stream-of.ts";
import { line, mostBytes, streamVersion, type SavedCall, type SavedRun, type SavedStream } from "./stream-file.ts";
import { Tracer } from "./trace-calls.ts";

/** Kernels may load so many bytes behind a buffer. */
const spare = 128;
/** The scratch memory of the kernels comes first; more than they need. */
const scratch = 2 ** 19;

/** Words of a call of "write": an engine's stack bounds how many arguments a call can have. */
const mostWords = 1024;

/** Calls that write words to an address. The memory begins with zeros, which need none. */
const writesOf = (at: number, words: readonly number[]): SavedCall[] =>
  Array.from({ length: Math.ceil(words.length / mostWords) }, (_, i): SavedCall => {
    const first = i * mostWords;
    return ["write", at + 4 * first, ...words.slice(first, first + mostWords)];
  }).filter(([, , ...part]) => part.some((word) => word !== 0));

/** Hands out memory, one piece behind the other. */
class Cursor {
  constructor(public end: number) {}

  take(numbers: number): number {
    const at = this.end;
    this.end = Math.ceil((at + 4 * numbers) / line) * line;
    return at;
  }
}

/** A recording, and where its buffers are. */
interface Placed {
  readonly context: RunContext;
  readonly places: ReadonlyMap<Buffer, number>;
  readonly states: readonly number[];
  /** Commands that pack weights, unless those of another recording do the same. */
  readonly derived: readonly Command[];
}

class Layout {
  /** What stays from run to run comes first; behind it each run has what lasts for its time. */
  private readonly lasting = new Cursor(scratch);
  readonly constants: SavedCall[] = [];
  private readonly known = new Map<string, number>();
  /** Places of packed weights by their labels, for each way to pack them. */
  private readonly packed = new Map<string, ReadonlyMap<string, number>>();
  readonly parameters: number;

  constructor(executor: ModelExecutor) {
    this.parameters = this.lasting.take(executor.session.store.length);
  }

  /** States that last. */
  states(context: RunContext): number[] {
    return [...context.states].map(([, { shape }]) => this.lasting.take(sizeOf(shape)));
  }

  /** Of buffers that last: all but transient ones, states and the frame. */
  place(contexts: readonly { readonly context: RunContext; readonly states?: readonly number[] }[]): { placed: Placed[]; end: number } {
    const lasting = contexts.map(({ context }) => this.placeLasting(context));
    let { end } = this.lasting;
    const placed = contexts.map(({ context, states: given }, i) => {
      const { places, derived } = lasting[i];
      const cursor = new Cursor(this.lasting.end);
      const states = given ?? [...context.states].map(([, { shape }]) => cursor.take(sizeOf(shape)));
      [...context.states.keys()].forEach((path, n) => {
        const carried = context.externals.get(carriedLabel(path));
        if (carried) places.set(carried.buffer, states[n]);
      });
      places.set(context.input.view.buffer, cursor.take(context.input.view.buffer.length));
      const { slots, slotOf } = planMemory(context.recording, { share: true });
      const taken = new Map<number, number>();
      for (const [buffer, slot] of slotOf) {
        if (places.has(buffer)) continue;
        const at = taken.get(slot) ?? cursor.take(slots[slot].length);
        taken.set(slot, at);
        places.set(buffer, at);
      }
      end = Math.max(end, cursor.end);
      return { context, places, states, derived };
    });
    return { placed, end };
  }

  private placeLasting({ recording, input, externals }: RunContext): { places: Map<Buffer, number>; derived: readonly Command[] } {
    const places = new Map<Buffer, number>();
    for (const buffer of recording.buffers) {
      if (buffer === externals.get("parameters")?.buffer) places.set(buffer, this.parameters);
      else if (buffer.role === "constant") places.set(buffer, this.constant(buffer));
      // Inputs besides the frame, such as random words, are never written here: zeros.
      else if (buffer.role === "input" && buffer !== input.view.buffer) places.set(buffer, this.zeros(buffer.length));
    }
    const derived = recording.commands.slice(0, recording.derived);
    const key = describe(derived, places);
    const known = this.packed.get(key);
    const packed = known ?? new Map(writtenBy(derived).map(({ label, length }) => [label, this.lasting.take(length)]));
    this.packed.set(key, packed);
    for (const buffer of writtenBy(derived)) places.set(buffer, packed.get(buffer.label)!);
    return { places, derived: known ? [] : derived };
  }

  private constant({ data, length, type }: Buffer): number {
    const numbers = type === "f32" ? Float32Array.from(data ?? []) : Uint32Array.from(data ?? []);
    const words = [...new Uint32Array(numbers.buffer)];
    return this.once(JSON.stringify(words), length, (at) => this.constants.push(...writesOf(at, words)));
  }

  private zeros(length: number): number {
    return this.once(`${length} zeros`, length, () => undefined);
  }

  private once(key: string, length: number, made: (at: number) => void): number {
    const known = this.known.get(key);
    if (known !== undefined) return known;
    const at = this.lasting.take(length);
    this.known.set(key, at);
    made(at);
    return at;
  }
}

/** The buffers that commands write, each once. */
const writtenBy = (commands: readonly Command[]): Buffer[] => [
  ...new Set(commands.flatMap((command) => usesOf(command).writes.map(({ buffer }) => buffer))),
];

/** Commands as a text that is the same for those that do the same. */
function describe(commands: readonly Command[], places: ReadonlyMap<Buffer, number>): string {
  const word = ({ buffer, offset, shape }: View) => [places.get(buffer) ?? `${buffer.label} ${buffer.length}`, offset, shape];
  return JSON.stringify(
    commands.map((command) => {
      if (command.kind !== "dispatch") return [command.kind, ...usesOf(command).reads.map(word), ...usesOf(command).writes.map(word)];
      return [command.kernel.name, command.params, Object.entries(command.views).map(([name, view]) => [name, word(view)])];
    }),
  );
}

/** The description of `executor`'s steps, as JSON. */
function describeSteps(executor: ModelExecutor): SavedStream {
  const { batch, session, inputSize, outputSize, ids } = executor;
  const layout = new Layout(executor);
  const one = executor.record(1, batch);
  const states = layout.states(one);
  const longer = executor.runsTogether ? stepSizes.filter((size) => size > 1) : [];
  const smaller = rowSizes.filter((size) => size <= batch);
  const { placed, end } = layout.place([
    { context: one, states },
    ...longer.map((size) => ({ context: executor.record(size, batch), states })),
    ...smaller.map((size) => ({ context: executor.record(1, size) })),
  ]);
  // The first time for what it takes.
  const { workBytes, keptBytes } = traced(placed, new Tracer(end, end, end));
  const { tracer, setup, runs } = traced(placed, new Tracer(end, end + workBytes, end + workBytes + keptBytes));
  const bytes = end + workBytes + keptBytes + tracer.messagesBytes + spare;
  if (bytes > mostBytes)
    throw new RnnError("limit", "saveStream", `the stream needs ${Math.ceil(bytes / 2 ** 20)} MiB, and may have 1024; use a smaller batch`);
  const keyed = (sizes: readonly number[], from: number) => Object.fromEntries(sizes.map((size, i) => [size, runs[from + i]]));
  return {
    version: streamVersion,
    reader: namesItself(session.model) ? "importModel of webgpu-rnn/formats" : undefined,
    batch,
    inputSize,
    outputSize,
    ids,
    bytes,
    parameters: [...session.store.places].map(([path, { parameter, offset }]) => {
      const at = layout.parameters + 4 * offset;
      return parameter.lanes.length === 1 ? [path, at] : [path, at, parameter.gates, parameter.lanes];
    }),
    states: [...one.states].map(([path, { shape }]) => {
      const first = executor.firstOf(path);
      return first ? [path, shape, [...first]] : [path, shape];
    }),
    setup: folded([...layout.constants, ...tracer.writes, ...setup]),
    one: runs[0],
    longer: keyed(longer, 1),
    smaller: keyed(smaller, 1 + longer.length),
  };
}

function traced(placed: readonly Placed[], tracer: Tracer) {
  const [setup, copies]: SavedCall[][] = [[], []];
  const runs = placed.map(({ context, places, states, derived }): SavedRun => {
    const { recording, input, output } = context;
    const addressOf = ({ buffer, offset }: View): number => places.get(buffer)! + 4 * offset;
    const stays = staying(recording);
    setup.push(...tracer.callsOf(derived, addressOf, stays));
    const calls = tracer.callsOf(recording.commands.slice(recording.derived), addressOf, stays, copies);
    return { from: addressOf(input.view), to: addressOf(output.view), states, calls: folded(calls) };
  });
  const workBytes = Math.ceil(tracer.workBytes / line) * line;
  return { tracer, setup: [...setup, ...copies], runs, workBytes, keptBytes: tracer.keptBytes };
}

/**
 * The text that describes the stream of a model.
 * @param values the parameters from which first states are computed
 * @throws RnnError as `createStream` does
 */
export async function savedStream(
  model: Module,
  values: Readonly<Record<string, Tensor<FloatArray>>>,
  options: FrameOptions,
): Promise<string> {
  const { stream, executor } = await streamOf(model, await sharedBackend(), options);
  try {
    const { store } = executor.session;
    store.write(values);
    executor.first?.take(store.moment);
    return JSON.stringify(describeSteps(executor));
  } finally {
    stream.dispose();
  }
}
