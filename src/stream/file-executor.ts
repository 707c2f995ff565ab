/**
 * Plays the steps of a file that `saveStream` wrote. A file is hostile: its calls have a memory of their own, which is all
 * that they can write to, and those of one step have run once before the stream is there.
 */
import { inTurn, type Call } from "../backend/cpu/calls.ts";
import { instantiate, scratchBytesOf, type WasmExports } from "../backend/cpu/wasm-code.ts";
import { allocating, clip, reasonOf, RnnError } from "../errors.ts";
import { isObject, parseJson, type Json, type JsonObject } from "../io/json.ts";
import { tensorsIn, type TensorFile } from "../io/safetensors.ts";
import { unaryFunctions } from "../kernels/unary-functions.ts";
import { sizeOf, type Shape } from "../tensor/shape.ts";
import type { FloatArray, NumericArray } from "../tensor/tensor.ts";
import { rowSizes, type Executor, type Ready, type StateMemory } from "./executor.ts";
import { stepSizes } from "./frames.ts";
import { mostBytes, mostStartWork, mostWork, streamVersion, workOf, type SavedRun, type SavedStream } from "./stream-file.ts";

const where = "createStream";

function damaged(problem: string, cause?: unknown): RnnError {
  return new RnnError("format", where, `the stream in the file is damaged: ${problem}`, { cause });
}

function takeInteger(value: Json | undefined, what: string, least: number, most: number): number {
  if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) return value as number;
  throw damaged(`${what} must be an integer from ${least} to ${most}`);
}

function takeList(value: Json | undefined, what: string): readonly Json[] {
  if (Array.isArray(value)) return value as readonly Json[];
  throw damaged(`${what} must be a list`);
}

function takeObject(value: Json | undefined, what: string): JsonObject {
  if (isObject(value)) return value;
  throw damaged(`${what} must be an object`);
}

function takeText(value: Json | undefined, what: string): string {
  if (typeof value === "string") return value;
  throw damaged(`${what} must be a text`);
}

function takeNumbers(value: Json | undefined, what: string): readonly number[] {
  const list = takeList(value, what);
  if (list.every((one) => Number.isFinite(one))) return list as readonly number[];
  throw damaged(`${what} must be finite numbers`);
}

/** What a file may say, before it is checked. */
type Given<T> = { readonly [Key in keyof T]?: Json };

/** Most calls of a file, after loops have been written out. */
const mostCalls = 2 ** 20;

/** The functions that are not in WebAssembly; `unary` allocates nothing. The memory never grows. */
function functionsOver({ buffer }: WebAssembly.Memory): WasmExports {
  const floats = new Float32Array(buffer);
  return {
    write: (address, ...words) => new Uint32Array(buffer, address, words.length).set(words),
    unary: (x, y, length, kind, alpha, beta) => {
      const value = unaryFunctions[kind];
      // The same integer that `workOf` counts, and that WebAssembly would take: a length in a file may be 1e300.
      const count = length >>> 0;
      for (let i = 0; i < count; i++) floats[y / 4 + i] = value(floats[x / 4 + i], alpha, beta);
    },
  };
}

/** The memory of a file's stream, and the functions that compute there. */
class Place {
  private calls = 0;
  /** Of the setup and of one step of each run. */
  private work = 0;
  /** Those of WebAssembly, and those of `functionsOver`. */
  private readonly functions: WasmExports;

  constructor(
    private readonly memory: WebAssembly.Memory,
    private readonly exports: WasmExports,
    private readonly bytes: number,
  ) {
    this.functions = { ...exports, ...functionsOver(memory) };
  }

  static async create(bytes: number, module: WebAssembly.Module): Promise<Place> {
    const pages = Math.ceil(bytes / 65536);
    const memory = allocating(where, `a stream of ${pages / 16} MiB`, () => new WebAssembly.Memory({ initial: pages, maximum: pages }));
    const exports = await instantiate(module, memory);
    if (bytes < scratchBytesOf(exports)) throw damaged("its memory is too small");
    return new Place(memory, exports, bytes);
  }

  /** So many numbers at an address of the file. */
  array(
    value: Json | undefined,
    what: string,
    length: number,
    Type: typeof Float32Array | typeof Uint32Array = Float32Array,
  ): NumericArray {
    const address = takeInteger(value, `the address of ${what}`, scratchBytesOf(this.exports), this.bytes);
    if (address % 4 !== 0 || address + 4 * length > this.bytes) throw damaged(`${what} must lie in its memory`);
    return new Type(this.memory.buffer, address, length);
  }

  /** @param steps how many steps the calls compute, and of how many rows */
  callsOf(value: Json | undefined, steps: number, rows: number): () => void {
    const calls: Call[] = [];
    let work = 0;
    for (const group of takeList(value, "calls")) {
      const [times, list, grows] = takeList(group, "a group of calls");
      const count = takeInteger(times, "the times of calls", 1, mostCalls);
      const each = takeList(list, "the calls of a group").map((call, i) => this.callOf(call, count > 1 ? takeList(grows, "steps")[i] : []));
      this.calls += count * each.length;
      if (this.calls > mostCalls) throw damaged(`it has more than ${mostCalls} calls`);
      for (let n = 0; n < count; n++)
        for (const { name, args, by } of each) {
          const call = { name, args: n === 0 ? args : args.map((arg, i) => arg + n * by[i]) };
          work += workOf[name](call.args);
          calls.push(call);
        }
    }
    if (!(work <= (mostWork * steps * rows * this.bytes) / 4)) throw damaged("its calls ask for more work than a model of its size needs");
    this.work += work / steps;
    if (!(this.work <= mostStartWork)) throw new RnnError("limit", where, "the stream in the file asks for more work than a step may take");
    const play = inTurn(this.functions, calls);
    return () => {
      try {
        play();
      } catch (cause) {
        throw damaged(`its calls cannot run: ${reasonOf(cause)}`, cause);
      }
    };
  }

  private callOf(value: Json, grows: Json | undefined): Call & { readonly by: readonly number[] } {
    const [given, ...rest] = takeList(value, "a call");
    const name = takeText(given, "the name of a function");
    if (!Object.hasOwn(workOf, name)) throw damaged(`there is no function "${clip(name)}"`);
    const args = takeNumbers(rest, `the arguments of ${name}`);
    const by = takeNumbers(grows, `the steps of ${name}`);
    if ((name !== "write" && args.length !== this.functions[name].length) || (by.length !== args.length && by.length > 0))
      throw damaged(`${name} has another number of arguments`);
    return { name, args, by };
  }
}

interface State {
  readonly path: string;
  /** [layers, rows, units] */
  readonly shape: Shape;
  readonly first: Float32Array | undefined;
}

function takeStates(value: Json | undefined, batch: number): readonly State[] {
  const states = takeList(value, "states").map((state) => {
    const [path, sizes, first] = takeList(state, "a state");
    const shape = takeNumbers(sizes, "the shape of a state").map((size) => takeInteger(size, "a size of a state", 1, mostBytes));
    if (shape.length === 0 || (batch > 1 && shape[1] !== batch)) throw damaged("a state must be [layers, rows, units]");
    const row = first === undefined ? undefined : Float32Array.from(takeNumbers(first, "a first state"));
    if (row && row.length * batch !== sizeOf(shape)) throw damaged("a first state must be one row's");
    return { path: takeText(path, "the path of a state"), shape, first: row };
  });
  if (new Set(states.map(({ path }) => path)).size < states.length) throw damaged("two states have the same path");
  return states;
}

/** Numbers that no parameter may have. Looking for them is quick before the engine has compiled anything: a loop would not be. */
const infinite = [NaN, Infinity, -Infinity];

/** Puts the tensors of the file where the calls look for them. */
function placeParameters(place: Place, value: Json | undefined, tensors: TensorFile["tensors"]): void {
  for (const parameter of takeList(value, "parameters")) {
    const [name, address] = takeList(parameter, "a parameter");
    const path = takeText(name, "the name of a parameter");
    if (!Object.hasOwn(tensors, path)) throw damaged(`the file has no "${clip(path)}"`);
    const { shape, data } = tensors[path];
    // They lie in the file itself, which the caller may have given away meanwhile.
    if (data.length !== sizeOf(shape)) throw damaged("it has gone");
    if (!(data instanceof Float32Array) || infinite.some((number) => data.includes(number)))
      throw new RnnError("format", where, `"${clip(path)}" must be finite numbers in float32`);
    place.array(address, `"${clip(path)}"`, data.length).set(data);
  }
}

/** Where a run finds its frames, its results and its states. */
function readyOf(
  place: Place,
  value: Json | undefined,
  steps: number,
  rows: number,
  { batch, inputSize, outputSize, ids }: Pick<FileExecutor, "batch" | "inputSize" | "outputSize" | "ids">,
  states: readonly State[],
): Ready {
  const { from, to, states: places, calls }: Given<SavedRun> = takeObject(value, "a run");
  const addresses = takeList(places, "the states of a run");
  return {
    from: place.array(from, "a frame", steps * rows * inputSize, ids === undefined ? Float32Array : Uint32Array),
    to: place.array(to, "a result", steps * rows * outputSize),
    states: states.map(({ path, shape }, i): StateMemory => {
      const here = batch === rows ? shape : shape.map((size, axis) => (axis === 1 ? rows : size));
      return { path, shape: here, buffer: { array: place.array(addresses[i], `the state "${clip(path)}"`, sizeOf(here)) } };
    }),
    run: place.callsOf(calls, steps, rows),
  };
}

/** The description in a file's metadata. */
function planIn(metadata: Readonly<Record<string, string>>): Given<SavedStream> {
  if (!Object.hasOwn(metadata, "stream"))
    throw new RnnError(
      "format",
      where,
      "the file must hold a stream, as saveStream of webgpu-rnn writes it; saveModel writes the model alone",
    );
  const plan: Given<SavedStream> = takeObject(parseJson(where, metadata.stream), "the description");
  if (plan.version !== streamVersion)
    throw new RnnError(
      "format",
      where,
      `the file was written by another version of webgpu-rnn; ${clip(takeText(plan.reader ?? "loadModel", "reader"))} reads it, and saveStream writes it anew`,
    );
  return plan;
}

const most = 2 ** 28;

export class FileExecutor implements Executor {
  readonly batch: number;
  readonly inputSize: number;
  readonly outputSize: number;
  readonly ids: number | undefined;
  readonly runsTogether: boolean;
  readonly one: Ready;
  private readonly longer: ReadonlyMap<number, Ready>;
  private readonly smaller: ReadonlyMap<number, Ready>;
  private readonly first: ReadonlyMap<string, Float32Array | undefined>;

  private constructor(place: Place, plan: Given<SavedStream>, tensors: TensorFile["tensors"]) {
    this.batch = takeInteger(plan.batch, "batch", 1, 2 ** 20);
    this.inputSize = takeInteger(plan.inputSize, "inputSize", 1, most);
    this.outputSize = takeInteger(plan.outputSize, "outputSize", 1, most);
    this.ids = plan.ids === undefined ? undefined : takeInteger(plan.ids, "ids", 1, most);
    const states = takeStates(plan.states, this.batch);
    this.first = new Map(states.map(({ path, first }) => [path, first]));
    placeParameters(place, plan.parameters, tensors);
    place.callsOf(plan.setup, 1, 1)();
    const ready = (run: Json | undefined, steps: number, rows: number): Ready => readyOf(place, run, steps, rows, this, states);
    const [longer, smaller] = [takeObject(plan.longer, "longer"), takeObject(plan.smaller, "smaller")];
    this.runsTogether = Object.keys(longer).length > 0;
    this.one = ready(plan.one, 1, this.batch);
    const steps = this.runsTogether ? stepSizes.filter((size) => size > 1) : [];
    this.longer = new Map(steps.map((size) => [size, ready(longer[size], size, this.batch)]));
    this.smaller = new Map(rowSizes.filter((size) => size <= this.batch).map((size) => [size, ready(smaller[size], 1, size)]));
    // What an address makes impossible shows now: which memory a call uses depends on its arguments and on ids only. Runs
    // of many steps would take as long as a worklet has for many quanta; theirs shows when they are first needed.
    for (const ready of [this.one, ...this.smaller.values()]) {
      ready.from.fill(0);
      ready.run();
    }
  }

  /** @throws RnnError `format` if the file is damaged or holds no stream, `limit` if there is not enough memory */
  static async create(file: Uint8Array, module: WebAssembly.Module): Promise<FileExecutor> {
    const { tensors, metadata } = tensorsIn(file);
    const plan = planIn(metadata);
    const place = await Place.create(takeInteger(plan.bytes, "bytes", 1, mostBytes), module);
    return new FileExecutor(place, plan, tensors);
  }

  several(steps: number): Ready {
    return this.longer.get(steps)!;
  }

  some(rows: number): Ready {
    return this.smaller.get(rows)!;
  }

  firstOf(path: string): FloatArray | undefined {
    return this.first.get(path);
  }

  begin(): undefined {
    return undefined;
  }

  /** The memory is freed when nobody holds the stream any more. */
  free(): void {}
}
