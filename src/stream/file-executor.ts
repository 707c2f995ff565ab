/**
 * Plays the steps of a file that `saveStream` wrote. A file is hostile: its calls have a memory of their own, which is all
 * that they can write to, and those of one step have run once before the stream is there.
 */
import { inTurn, type Call } from "../backend/cpu/calls.ts";
import { instantiate, type WasmExports } from "../backend/cpu/wasm-code.ts";
import { allocating, clip, reasonOf, RnnError } from "../errors.ts";
import type { Json } from "../io/json.ts";
import { tensorsIn, type TensorFile } from "../io/safetensors.ts";
import { unaryFunctions } from "../kernels/unary-functions.ts";
import { sizeOf } from "../tensor/shape.ts";
import type { FloatArray, NumericArray } from "../tensor/tensor.ts";
import { rowSizes, type Executor, type Ready, type StateMemory } from "./executor.ts";
import { stepSizes } from "./frames.ts";
import {
  damaged,
  planIn,
  takeInteger,
  takeList,
  takeNumbers,
  takeObject,
  takeStates,
  takeText,
  where,
  type Given,
  type State,
} from "./stream-description.ts";
import { mostBytes, mostStartWork, mostTrialWork, mostWork, scratchBytes, workOf, type SavedRun, type SavedStream } from "./stream-file.ts";

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

/** The memory of a file's stream. */
class Place {
  readonly memory: WebAssembly.Memory;

  constructor(readonly bytes: number) {
    const pages = Math.ceil(bytes / 65536);
    this.memory = allocating(where, `a stream of ${pages / 16} MiB`, () => new WebAssembly.Memory({ initial: pages, maximum: pages }));
  }

  /** So many numbers at an address of the file. */
  array(
    value: Json | undefined,
    what: string,
    length: number,
    Type: typeof Float32Array | typeof Uint32Array = Float32Array,
  ): NumericArray {
    const address = takeInteger(value, `the address of ${what}`, scratchBytes, this.bytes);
    if (address % 4 !== 0 || address + 4 * length > this.bytes) throw damaged(`${what} must lie in its memory`);
    return new Type(this.memory.buffer, address, length);
  }
}

/** The functions that compute in a place, and the calls of them. */
class Calls {
  private calls = 0;
  /** Of the setup and of one step of each run. */
  private work = 0;
  /** Those of WebAssembly, and those of `functionsOver`. */
  private readonly functions: WasmExports;

  constructor(
    exports: WasmExports,
    private readonly place: Place,
  ) {
    this.functions = { ...exports, ...functionsOver(place.memory) };
  }

  /** @param steps how many steps the calls compute, and of how many rows */
  of(value: Json | undefined, steps: number, rows: number): { readonly run: () => void; readonly work: number } {
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
    if (!(work <= (mostWork * steps * rows * this.place.bytes) / 4))
      throw damaged("its calls ask for more work than a model of its size needs");
    this.work += work / steps;
    if (!(this.work <= mostStartWork)) throw new RnnError("limit", where, "the stream in the file asks for more work than a step may take");
    const play = inTurn(this.functions, calls);
    const run = () => {
      try {
        play();
      } catch (cause) {
        throw damaged(`its calls cannot run: ${reasonOf(cause)}`, cause);
      }
    };
    return { run, work };
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

/** Numbers that no parameter may have. Looking for them is quick before the engine has compiled anything: a loop would not be. */
const infinite = [NaN, Infinity, -Infinity];

/** Puts the tensors of the file where the calls look for them. */
function placeParameters(place: Place, value: Json | undefined, tensors: TensorFile["tensors"]): void {
  for (const parameter of takeList(value, "parameters")) {
    const [name, address] = takeList(parameter, "a parameter");
    const path = takeText(name, "the name of a parameter");
    if (!Object.hasOwn(tensors, path)) throw damaged(`the file has no "${clip(path)}"`);
    const { data } = tensors[path];
    const here = place.array(address, `"${clip(path)}"`, data.length);
    here.set(data);
    // They are checked where nobody can change them any more.
    if (!(data instanceof Float32Array) || infinite.some((number) => (here as Float32Array).includes(number)))
      throw new RnnError("format", where, `"${clip(path)}" must be finite numbers in float32`);
  }
}

/** A run, and what its calls ask for. */
interface Found extends Ready {
  readonly work: number;
}

/** Where a run finds its frames, its results and its states. */
function readyOf(
  place: Place,
  calls: Calls,
  value: Json | undefined,
  steps: number,
  rows: number,
  { batch, inputSize, outputSize, ids }: Pick<FileExecutor, "batch" | "inputSize" | "outputSize" | "ids">,
  states: readonly State[],
): Found {
  const { from, to, states: places, calls: given }: Given<SavedRun> = takeObject(value, "a run");
  const addresses = takeList(places, "the states of a run");
  return {
    from: place.array(from, "a frame", steps * rows * inputSize, ids === undefined ? Float32Array : Uint32Array),
    to: place.array(to, "a result", steps * rows * outputSize),
    states: states.map(({ path, shape }, i): StateMemory => {
      const here = batch === rows ? shape : shape.map((size, axis) => (axis === 1 ? rows : size));
      return { path, shape: here, buffer: { array: place.array(addresses[i], `the state "${clip(path)}"`, sizeOf(here)) } };
    }),
    ...calls.of(given, steps, rows),
  };
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

  constructor(place: Place, plan: Given<SavedStream>, exports: WasmExports) {
    this.batch = takeInteger(plan.batch, "batch", 1, 2 ** 20);
    this.inputSize = takeInteger(plan.inputSize, "inputSize", 1, most);
    this.outputSize = takeInteger(plan.outputSize, "outputSize", 1, most);
    this.ids = plan.ids === undefined ? undefined : takeInteger(plan.ids, "ids", 1, most);
    const states = takeStates(plan.states, this.batch);
    this.first = new Map(states.map(({ path, first }) => [path, first]));
    const calls = new Calls(exports, place);
    calls.of(plan.setup, 1, 1).run();
    const ready = (run: Json | undefined, steps: number, rows: number): Found => readyOf(place, calls, run, steps, rows, this, states);
    const [longer, smaller] = [takeObject(plan.longer, "longer"), takeObject(plan.smaller, "smaller")];
    this.runsTogether = Object.keys(longer).length > 0;
    const one = ready(plan.one, 1, this.batch);
    const several = (this.runsTogether ? stepSizes.filter((size) => size > 1) : []).map((size) => ready(longer[size], size, this.batch));
    const some = rowSizes.filter((size) => size <= this.batch).map((size) => [size, ready(smaller[size], 1, size)] as const);
    this.one = one;
    this.longer = new Map(several.map((found, i) => [stepSizes[i], found]));
    this.smaller = new Map(some);
    // What an address makes impossible shows now: which memory a call uses depends on its arguments and on ids only. And the
    // first call of `steps` takes no longer than later ones, which is what a worklet needs. Runs of many steps of a wide
    // model would take long; theirs shows when they are first needed.
    for (const found of [one, ...some.map(([, found]) => found), ...several.filter(({ work }) => work <= mostTrialWork)]) {
      found.from.fill(0);
      found.run();
    }
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

/** A file whose values have been taken; its calls have not run yet. */
export class OpenedFile {
  private readonly plan: Given<SavedStream>;
  private readonly place: Place;

  /** @throws RnnError `format` if the file is damaged or holds no stream, `limit` if there is not enough memory */
  constructor(file: Uint8Array) {
    const { tensors, metadata } = tensorsIn(file);
    this.plan = planIn(metadata);
    const bytes = takeInteger(this.plan.bytes, "bytes", 1, mostBytes);
    if (bytes < scratchBytes) throw damaged("its memory is too small");
    this.place = new Place(bytes);
    placeParameters(this.place, this.plan.parameters, tensors);
  }

  /** @throws RnnError as the constructor does */
  async executor(module: WebAssembly.Module): Promise<FileExecutor> {
    return new FileExecutor(this.place, this.plan, await instantiate(module, this.place.memory));
  }
}
