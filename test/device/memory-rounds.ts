/** What programs do repeatedly without disposing of anything, and how much memory is held afterwards. */
import { expect } from "vitest";
import {
  adam,
  createBackend,
  crossEntropy,
  Embedding,
  forward,
  generateTokens,
  gradients,
  Linear,
  LSTM,
  Sequential,
  TextData,
  Trainer,
  verify,
  type Backend,
  type Module,
  CustomRNN,
  defineCell,
} from "webgpu-rnn";
import { beamSearch, Decoder, Seq2Seq } from "webgpu-rnn/language";
import { leaky, numbers } from "./support.ts";

type Kind = "cpu" | "webgpu" | "javascript";

interface NodeGlobals {
  gc?: () => void;
  process?: {
    getBuiltinModule?: (name: string) => unknown;
    memoryUsage(): { heapUsed: number; arrayBuffers: number };
    emitWarning: (warning: string) => void;
  };
}
const { process } = globalThis as NodeGlobals;

/** Runs the garbage collector; undefined where a program cannot. */
export const collect: (() => void) | undefined =
  (globalThis as NodeGlobals).gc ??
  (() => {
    const [v8, vm] = ["node:v8", "node:vm"].map((name) => process?.getBuiltinModule?.(name)) as [
      { setFlagsFromString(flag: string): void } | undefined,
      { runInNewContext(code: string): () => void } | undefined,
    ];
    v8?.setFlagsFromString("--expose-gc");
    return vm?.runInNewContext("gc");
  })();

/**
 * The number of objects that JavaScript holds. It does not depend on what the engine has compiled, unlike the bytes, so it
 * shows a single object that each round leaves. NaN before Node 20.13.
 */
function countObjects(): number {
  const v8 = process!.getBuiltinModule?.("node:v8") as { queryObjects?: (kind: unknown, options: object) => number } | undefined;
  if (!v8?.queryObjects) return NaN;
  // Node would warn that the function is experimental.
  const { emitWarning } = process!;
  process!.emitWarning = () => undefined;
  try {
    return v8.queryObjects(Object, { format: "count" });
  } finally {
    process!.emitWarning = emitWarning;
  }
}

interface Held {
  /** On the device. */
  bytes: number;
  /** Of JavaScript: objects and arrays. */
  heap: number;
  /** Of WebAssembly's memory, which never shrinks. */
  wasm: number;
}

const wasmOf = (on: Backend): number =>
  (on as unknown as { kernels?: { heap: { memory: WebAssembly.Memory } } }).kernels?.heap.memory.buffer.byteLength ?? 0;

/** The memory held after the collector and the finalization registries have run. */
export async function held(on: Backend): Promise<Held> {
  const now = (): Held => {
    const { heapUsed, arrayBuffers } = process!.memoryUsage();
    return { bytes: on.counters.bytes, heap: heapUsed + arrayBuffers, wasm: wasmOf(on) };
  };
  // What is under way holds what it works with.
  const last = on.createBuffer("last", "f32", 1);
  await on.read(last);
  on.free(last);
  // What a registry frees may be the last to hold something else: until some times in a row nothing more has gone.
  let found = now();
  for (let same = 0, times = 0; same < 4 && times < 40; times++) {
    collect!();
    await new Promise((resolve) => setTimeout(resolve, 5));
    const next = now();
    same = next.heap > found.heap - 20_000 && next.bytes === found.bytes ? same + 1 : 0;
    found = next;
  }
  return found;
}

export const makeBackend = (kind: Kind): Promise<Backend> =>
  kind === "javascript" ? createBackend("cpu", { wasm: false }) : createBackend(kind);

const data = TextData.from("the quick brown fox jumps over the lazy dog. ".repeat(20), { batch: 2, steps: 4 });
const V = data.vocabulary.size;
const makeModel = (hidden = 8): Sequential => new Sequential([new Embedding(V, 4), new LSTM(4, hidden), new Linear(hidden, V)]);
const makeTrainer = (model: Module, backend: Backend): Trainer =>
  new Trainer(model, { backend, data, loss: crossEntropy(), optimizer: adam(), strategy: "step" });
const lived = new WeakMap<Backend, Promise<{ model: Sequential; trainer: Trainer; cell: ReturnType<typeof defineCell> }>>();

/** A model that lives as long as its backend. */
function longLived(on: Backend) {
  let found = lived.get(on);
  if (!found) {
    const model = makeModel();
    lived.set(on, (found = Promise.resolve({ model, trainer: makeTrainer(model, on), cell: defineCell(leaky) })));
  }
  return found;
}

/** One time of each thing that programs do often. Sizes change from time to time, by `i`. */
export const rounds = {
  async steps(on: Backend) {
    const { trainer } = await longLived(on);
    await trainer.train({ steps: 20 });
  },
  async models(on: Backend, i: number) {
    await forward(makeModel(4 + (i % 5)), data.batch(0).input, { backend: on, strategy: "step" });
  },
  async trainers(on: Backend, i: number) {
    const trainer = makeTrainer(i % 2 ? (await longLived(on)).model : makeModel(), on);
    await trainer.train({ steps: 2 });
    if (i % 3 === 0) await trainer.checkpoint();
  },
  async runsLeftHalfWay(on: Backend) {
    const run = makeTrainer(makeModel(), on).run({ steps: 50 });
    await run.next();
  },
  async shapes(on: Backend, i: number) {
    const { model } = await longLived(on);
    const ids = { shape: [1 + (i % 20), 1 + Math.floor(i / 20)], data: new Uint32Array((1 + (i % 20)) * (1 + Math.floor(i / 20))) };
    const { output } = await forward(model, ids, { backend: on, strategy: "step" });
    if (i % 4 === 0) await gradients(model, ids, { output }, { backend: on, strategy: "step" });
  },
  async generatorsLeftHalfWay(on: Backend, i: number) {
    const { model } = await longLived(on);
    const tokens = generateTokens(i % 2 ? model : makeModel(), [1, 2], { backend: on, length: 100 });
    await tokens.next();
    if (i % 3 === 0) await tokens.return();
  },
  async failures(on: Backend) {
    const { model } = await longLived(on);
    const broken = {
      batches: 1,
      batch: (step: number) => (step === 0 ? data.batch(0) : { ...data.batch(0), targets: { shape: [1], data: [0] } }),
    };
    const trainer = new Trainer(model, { backend: on, data: broken, loss: crossEntropy(), optimizer: adam(), strategy: "step" });
    // Not by expect(…).rejects, which keeps what it has seen until the test ends.
    const fails = async (act: () => Promise<unknown>): Promise<boolean> =>
      act().then(
        () => false,
        () => true,
      );
    expect(
      await fails(async () => {
        await trainer.train({ steps: 3 });
      }),
    ).toBe(true);
    expect(await fails(() => forward(model, { shape: [2, 2], data: Uint32Array.of(0, 1, 2, V) }, { backend: on }))).toBe(true);
  },
  async searches(on: Backend) {
    const model = new Seq2Seq({
      encoder: new Sequential([new Embedding(5, 4), new LSTM(4, 4)]),
      decoder: new Decoder({ vocabulary: 5, memorySize: 4, rnn: new LSTM(4, 4) }),
    });
    await beamSearch(model, [[1, 2], [3]], { backend: on, end: 0, beams: 2, maxLength: 3 });
  },
  async cells(on: Backend) {
    const cell = defineCell({ ...leaky });
    await forward(new CustomRNN(cell, 2, 3), { shape: [2, 1, 2], data: numbers(4) }, { backend: on, strategy: "step" });
  },
  async verifications(on: Backend) {
    await verify(new Linear(2, 3), { input: { shape: [1, 2], data: numbers(2) } }, { backend: on });
  },
} satisfies Record<string, (on: Backend, i: number) => Promise<void>>;

export type Round = keyof typeof rounds;

type Times = readonly (readonly [Round, number])[];

/** Does each thing so many times. */
async function repeat(on: Backend, times: Times): Promise<void> {
  for (const [name, count] of times) {
    for (let i = 0; i < count; i++) {
      await rounds[name](on, i);
      // A program that never gives the event loop a turn gives the registries none either.
      if (i % 10 !== 9) continue;
      collect!();
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  }
}

/** What has grown while each thing was done so many times, in words. */
async function growth(on: Backend, times: Times, slack: number): Promise<string[]> {
  const now = async (): Promise<Held & { objects: number }> => ({ ...(await held(on)), objects: countObjects() });
  const before = await now();
  await repeat(on, times);
  const after = await now();
  // It grows with what has not been collected yet, so that a round may grow it once more; what is lost grows it in each.
  const wasm = [before.wasm, after.wasm];
  while (wasm.at(-1) !== wasm.at(-2) && wasm.length < 6) {
    await repeat(on, times);
    wasm.push((await held(on)).wasm);
  }
  const rounds = Math.min(...times.map(([, count]) => count));
  return [
    ...(after.bytes === before.bytes ? [] : [`${after.bytes - before.bytes} bytes on the device`]),
    ...(after.objects - before.objects >= rounds ? [`${after.objects - before.objects} objects of JavaScript`] : []),
    ...(after.heap - before.heap < slack ? [] : [`${after.heap - before.heap} bytes of JavaScript`]),
    ...(wasm.at(-1) === wasm.at(-2) ? [] : [`WebAssembly's memory, from ${wasm.join(" to ")}`]),
  ];
}

/** Does all of it again and again, and expects to find what was held before. */
export async function expectNothingKept(kind: Kind, counts: Readonly<Partial<Record<Round, number>>>, slack: number): Promise<void> {
  const on = await makeBackend(kind);
  const times = Object.entries(counts) as [Round, number][];
  // Once for what is made but once: pipelines, code, the recordings of the latest shapes.
  await repeat(
    on,
    times.map(([name, count]) => [name, name === "shapes" ? count : Math.min(count, 40)] as const),
  );
  const grown = await growth(on, times, slack);
  if (grown.length > 0) {
    // Each by itself, to say which.
    const each: string[] = [];
    for (const one of times) each.push(`${one.join(" x")}: ${(await growth(on, [one], slack)).join(", ") || "nothing"}`);
    expect.fail(`on ${kind} there are more: ${grown.join(", ")}\n${each.join("\n")}`);
  }
  on.destroy();
}

/** Makes backends, and leaves some of them without a word. Few of them train, since each compiles its kernels anew. */
export async function expectNoBackendKept(kind: Kind, count: number, slack: number): Promise<void> {
  const some = await makeBackend(kind);
  const made: WeakRef<Backend>[] = [];
  const one = async (i: number): Promise<void> => {
    const on = await makeBackend(kind);
    made.push(new WeakRef(on));
    await forward(new Linear(2, 3), { shape: [1, 2], data: numbers(2) }, { backend: on });
    if (i % 7 === 0) {
      await rounds.models(on, i);
      await rounds.trainers(on, 0);
    }
    if (i % 2) on.destroy();
  };
  for (let i = 0; i < 2; i++) await one(i);
  const before = await held(some);
  for (let i = 2; i < count + 2; i++) {
    await one(i);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  const after = await held(some);
  expect(after.heap - before.heap, `backends of ${kind}: bytes of JavaScript`).toBeLessThan(slack);
  expect(made.filter((backend) => backend.deref() !== undefined).length, `backends of ${kind} still held`).toBe(0);
  some.destroy();
}
