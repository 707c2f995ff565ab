/** Makes the description of a model's stream that `saveStream` writes. */
import { RnnError } from "../errors.ts";
import type { Module } from "../nn/module.ts";
import { planMemory } from "../recording/lifetimes.ts";
import { usesOf, type Buffer, type Command, type View } from "../recording/recording.ts";
import { staying } from "../recording/staying.ts";
import type { ParameterStore } from "../session/parameter-store.ts";
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
import {
  line,
  mostBytes,
  mostStartWork,
  scratchBytes,
  streamVersion,
  workOf,
  type SavedCall,
  type SavedGroup,
  type SavedRun,
  type SavedStream,
} from "./stream-file.ts";
import { Tracer } from "./trace-calls.ts";

/** Kernels may load so many bytes behind a buffer. */
const spare = 128;

/** Words of a call of "write": an engine's stack bounds how many arguments a call can have. */
const mostWords = 1024;

/** Calls that write words to an address. The memory begins with zeros, which need none. */
const writesOf = (at: number, words: readonly number[]): SavedCall[] =>
  Array.from({ length: Math.ceil(words.length / mostWords) }, (_, i): SavedCall => {
    const first = i * mostWords;
    return ["write", at + 4 * first, ...words.slice(first, first + mostWords)];
  }).filter(([, , ...part]) => part.some((word) => word !== 0));

/** What loops of calls ask for. */
const workIn = (groups: readonly SavedGroup[]): number =>
  groups.reduce((sum, [times, calls, steps]) => {
    const once = (n: number): number =>
      calls.reduce((part, [name, ...args], c) => part + workOf[name](args.map((arg, i) => arg + n * (steps?.[c][i] ?? 0))), 0);
    return sum + Array.from({ length: times }, (_, n) => once(n)).reduce((a, b) => a + b, 0);
  }, 0);

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
  private readonly lasting = new Cursor(scratchBytes);
  readonly constants: SavedCall[] = [];
  private readonly known = new Map<string, number>();
  /** Places of packed weights, by the calls that pack them. */
  private readonly packed = new Map<string, readonly number[]>();
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
    const written = writtenBy(derived);
    const key = packingCalls(derived, written, places);
    const known = this.packed.get(key);
    const packed = known ?? written.map(({ length }) => this.lasting.take(length));
    this.packed.set(key, packed);
    written.forEach((buffer, i) => places.set(buffer, packed[i]));
    return { places, derived: known ? [] : derived };
  }

  /** Where the file's values go: those whose rows have another order here to `at`, from where `calls` take them. */
  values({ places }: ParameterStore, at: number): { parameters: SavedStream["parameters"]; calls: SavedCall[]; end: number } {
    const cursor = new Cursor(at);
    const calls: SavedCall[] = [];
    const parameters = [...places].map(([path, { parameter, offset }]): readonly [string, number] => {
      const { gates, lanes, shape, size } = parameter;
      const to = this.parameters + 4 * offset;
      if (lanes.length === 1) return [path, to];
      const from = cursor.take(size);
      const [units, row] = [shape[0] / gates, (4 * size) / shape[0]];
      lanes.forEach((gate, lane) => {
        const [first, target, step] = [from + gate * units * row, to + lane * row, lanes.length * row];
        if (gate >= 0) calls.push(["stridedCopy", first, target, 1, units, row / 4, 0, row, 4, 0, step, 4, 0]);
      });
      return [path, from];
    });
    return { parameters, calls, end: cursor.end };
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

/**
 * The calls of commands that pack weights, as a text that is the same for those that do the same. What they write has no
 * place yet, and stands behind all memory.
 */
function packingCalls(commands: readonly Command[], written: readonly Buffer[], places: ReadonlyMap<Buffer, number>): string {
  const cursor = new Cursor(mostBytes);
  const all = new Map([...places, ...written.map((buffer) => [buffer, cursor.take(buffer.length)] as const)]);
  const addressOf = ({ buffer, offset }: View): number => all.get(buffer)! + 4 * offset;
  return JSON.stringify(new Tracer(0, 0, 0).callsOf(commands, addressOf, () => false));
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
  const keptAt = end + workBytes;
  // Packed copies take their place later: memory that is used for the first time takes long.
  const values = layout.values(session.store, keptAt);
  const messagesAt = Math.max(keptAt + keptBytes, values.end);
  const { tracer, setup, runs } = traced(placed, new Tracer(end, keptAt, messagesAt));
  const bytes = messagesAt + tracer.messagesBytes + spare;
  if (bytes > mostBytes)
    throw new RnnError("limit", "saveStream", `the stream needs ${Math.ceil(bytes / 2 ** 20)} MiB, and may have 1024; use a smaller batch`);
  const allSetup = folded([...values.calls, ...layout.constants, ...tracer.writes, ...setup]);
  const stepsOf = (i: number): number => (i > 0 && i <= longer.length ? longer[i - 1] : 1);
  if (runs.reduce((sum, { calls }, i) => sum + workIn(calls) / stepsOf(i), workIn(allSetup)) > mostStartWork)
    throw new RnnError("limit", "saveStream", "a step of the stream takes more work than one may; use a smaller batch");
  const keyed = (sizes: readonly number[], from: number) => Object.fromEntries(sizes.map((size, i) => [size, runs[from + i]]));
  return {
    version: streamVersion,
    reader: namesItself(session.model) ? "importModel of webgpu-rnn/formats" : undefined,
    batch,
    inputSize,
    outputSize,
    ids,
    bytes,
    parameters: values.parameters,
    states: [...one.states].map(([path, { shape }]) => {
      const first = executor.firstOf(path);
      return first ? [path, shape, [...first]] : [path, shape];
    }),
    setup: allSetup,
    one: runs[0],
    longer: keyed(longer, 1),
    smaller: keyed(smaller, 1 + longer.length),
  };
}

function traced(placed: readonly Placed[], tracer: Tracer) {
  const [setup, copies]: SavedCall[][] = [[], []];
  const given = placed.map(({ context, places, ...rest }) => {
    const addressOf = ({ buffer, offset }: View): number => places.get(buffer)! + 4 * offset;
    return { ...rest, context, addressOf, stays: staying(context.recording) };
  });
  // Those of all runs before any run's own: a copy is made where it is first asked for, and these need theirs at once.
  for (const { derived, addressOf, stays } of given) setup.push(...tracer.callsOf(derived, addressOf, stays));
  const runs = given.map(({ context: { recording, input, output }, states, addressOf, stays }): SavedRun => {
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
