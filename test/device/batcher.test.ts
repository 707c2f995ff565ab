// Many streams through one batcher: each gets what `forward` gives for its frames alone, whatever the others do.
import { afterAll, describe, expect, it } from "vitest";
import {
  createBackend,
  createBatcher,
  decodeSafetensors,
  Embedding,
  encodeSafetensors,
  forward,
  GRU,
  Linear,
  LSTM,
  Sequential,
  type Batcher,
  type Module,
} from "webgpu-rnn";
import { randomUniforms } from "../../src/kernels/philox.ts";
import { sampled } from "../thorough.ts";
import { numbers } from "./support.ts";

const backend = await createBackend("cpu");
afterAll(() => backend.destroy());

const turn = (ms = 0): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const recurrent = (): Module => new Sequential({ rnn: new LSTM(3, 10, { seed: 1 }), out: new Linear(10, 2, { seed: 2 }) });
const characters = (): Module =>
  new Sequential([new Embedding(7, 4, { seed: 3 }), new GRU(4, 6, { numLayers: 2, seed: 4 }), new Linear(6, 7, { seed: 5 })]);

/** What `forward` gives for all frames of one sequence. */
async function alone(model: Module, frames: readonly ArrayLike<number>[]): Promise<Float32Array[]> {
  if (frames.length === 0) return [];
  const ids = model.idCount !== undefined;
  const data = (ids ? Int32Array : Float32Array).from(frames.flatMap((frame) => Array.from(frame)));
  const shape = [frames.length, 1, ...(ids ? [] : [frames[0].length])];
  const { output } = await forward(model, { input: { shape, data } }, { backend });
  const size = output.data.length / frames.length;
  return frames.map((_, i) => Float32Array.from(output.data.slice(i * size, (i + 1) * size)));
}

/** A sequence as its user sees it: what was sent, and what came back. */
interface Sequence {
  frames: ArrayLike<number>[];
  readonly results: Float32Array[];
}

/** A user who does one thing after the other by chance, and remembers what must come of it. */
class User {
  readonly ended: Sequence[] = [];
  refused = 0;
  private sequence: Sequence = { frames: [], results: [] };
  private readonly uniforms: ArrayLike<number>;
  private drawn = 0;
  private readonly calls: Promise<unknown>[] = [];

  constructor(
    readonly id: string,
    private readonly batcher: Batcher,
    private readonly model: Module,
    seed: number,
    private readonly maxWaiting: number,
  ) {
    this.uniforms = randomUniforms(seed, 0, 100_000);
  }

  private draw(below: number): number {
    return Math.floor(this.uniforms[this.drawn++ % this.uniforms.length] * below);
  }

  async act(frames: number): Promise<void> {
    for (let sent = 0; sent < frames;) {
      const kind = this.draw(40);
      if (kind < 1) this.close();
      else if (kind < 2) this.goOn();
      else if (kind < 4) this.sendWrong();
      else for (let i = this.draw(4); i >= 0; i--, sent++) this.send();
      const pause = this.draw(8);
      if (pause < 4) await this.calls.at(-1);
      else if (pause < 6) await turn(this.draw(3));
    }
    await Promise.all(this.calls);
    this.ended.push(this.sequence);
  }

  private frame(): number[] {
    if (this.model.idCount !== undefined) return [this.draw(this.model.idCount)];
    return Array.from({ length: this.batcher.inputSize }, () => Math.fround(2 * this.uniforms[this.drawn++ % this.uniforms.length] - 1));
  }

  private send(): void {
    const { sequence } = this;
    const frame = this.frame();
    const given = [...frame];
    const isFull = sequence.frames.length - this.batcher.frames(this.id) >= this.maxWaiting;
    const into = this.draw(2) ? new Float32Array(this.batcher.outputSize) : undefined;
    const call = this.batcher.step(this.id, given, into);
    // The caller's array is the caller's again.
    given.fill(NaN);
    if (isFull) {
      this.calls.push(expect(call).rejects.toThrow(`${this.maxWaiting} frames of stream "${this.id}" wait, which is the limit`));
      this.refused++;
      return;
    }
    sequence.frames.push(frame);
    this.calls.push(
      call.then(
        (result) => {
          expect(into ?? result).toBe(result);
          sequence.results.push(result);
        },
        (error: unknown) => expect(String(error)).toBe(`RnnError: batcher.step: stream "${this.id}" was closed before the frame's turn`),
      ),
    );
  }

  private sendWrong(): void {
    const { inputSize } = this.batcher;
    const frame = this.frame();
    const wrong = [[...frame, 0], frame.slice(1), frame.map(() => NaN), frame.map((x, i) => (i === inputSize - 1 ? -Infinity : x))];
    this.calls.push(expect(this.batcher.step(this.id, wrong[this.draw(4)])).rejects.toThrow(/^batcher.step: a frame must/));
    this.refused++;
  }

  /** Ends the sequence, with frames in the queue or without. */
  private close(): void {
    this.sequence.frames.length = this.batcher.frames(this.id);
    this.batcher.close(this.id);
    this.ended.push(this.sequence);
    this.sequence = { frames: [], results: [] };
  }

  /** Ends the stream and goes on from its state, as after a lost connection. */
  private goOn(): void {
    const state = this.batcher.state(this.id);
    if (!state) return;
    this.batcher.close(this.id);
    this.sequence.frames.length = this.batcher.restore(this.id, state);
  }

  /** @returns number of results that were compared */
  async check(): Promise<number> {
    for (const { frames, results } of this.ended) {
      expect(results).toHaveLength(frames.length);
      expect(results).toEqual(await alone(this.model, frames));
    }
    return this.ended.reduce((sum, { results }) => sum + results.length, 0);
  }
}

describe("a batcher", () => {
  const models = { "of numbers": recurrent, "of ids": characters };
  const cases = Object.entries(models).flatMap(([name, make]) =>
    [1, 2, 3, 4, 5, 6, 7, 8].map((seed) => ({
      name,
      make,
      seed,
      users: [1, 3, 9, 20, 33][seed % 5],
      maxBatch: [1, 2, 7, 16, 64][(seed * 3) % 5],
      maxWaitMs: [0, 1, 3][seed % 3],
    })),
  );
  it.each(sampled(cases, 6))(
    "$name gives each of $users users what it gets alone, in batches of up to $maxBatch after $maxWaitMs ms (seed $seed)",
    async ({ make, seed, users, maxBatch, maxWaitMs }) => {
      const model = make();
      using batcher = await createBatcher(model, { backend, maxBatch, maxWaitMs, maxStreams: users, maxWaiting: 5 });
      const all = Array.from({ length: users }, (_, i) => new User(`user ${i}`, batcher, model, 1000 * seed + i, 5));
      await Promise.all(all.map((user) => user.act(60)));
      let compared = 0;
      for (const user of all) compared += await user.check();
      const counts = all.reduce((sum, { refused }) => sum + refused, 0);
      expect(compared).toBeGreaterThan(5 * users);
      if (users > 1) expect(counts).toBeGreaterThan(0);
    },
  );

  // In the thorough runs 100,032 frames.
  it.each(sampled([64, 1563], 1))("gives 64 clients %d frames each without a mix-up", async (each) => {
    const model = recurrent();
    using batcher = await createBatcher(model, { backend, maxStreams: 64 });
    const clients = Array.from({ length: 64 }, async (_, i) => {
      const sent = Array.from({ length: each }, (_, t) => numbers(3, 1 + i * each + t));
      const results: Float32Array[] = [];
      for (const frame of sent) {
        results.push(await batcher.step(String(i), frame));
        if (results.length % (i + 2) === 0) await turn(i % 3);
      }
      return { sent, results };
    });
    for (const { sent, results } of await Promise.all(clients)) expect(results).toEqual(await alone(model, sent));
  });

  it("computes a batch as soon as it is full, however long a frame may wait", async () => {
    using batcher = await createBatcher(recurrent(), { backend, maxBatch: 3, maxWaitMs: 1e9 });
    let done = 0;
    const send = (id: string): Promise<unknown> => batcher.step(id, [1, 2, 3]).then(() => done++);
    const calls = [send("a"), send("b"), send("a")];
    for (let i = 0; i < 5; i++) await turn();
    expect(done).toBe(0);
    calls.push(send("c"));
    await Promise.all([calls[0], calls[1], calls[3]]);
    await calls[2];
    expect(done).toBe(4);
  });

  it("computes a frame alone when its time is over", async () => {
    for (const maxWaitMs of [0, 0.5, 5]) {
      using batcher = await createBatcher(recurrent(), { backend, maxBatch: 3, maxWaitMs });
      expect(await batcher.step("a", [1, 2, 3])).toHaveLength(2);
      expect(await Promise.all([batcher.step("a", [1, 2, 3]), batcher.step("b", [1, 2, 3])])).toHaveLength(2);
    }
  });

  it("writes the result where it is asked to, and refuses what is no such place", async () => {
    const model = recurrent();
    const batcher = await createBatcher(model, { backend });
    const frames = [0, 1, 2].map((seed) => numbers(3, seed));
    const [first, second, third] = (await alone(model, frames)).map((result) => [...result]);
    const into = new Float32Array(2);
    const call = batcher.step("ann", frames[0], into);
    expect([...into]).toEqual([0, 0]);
    expect(await call).toBe(into);
    expect([...into]).toEqual(first);
    for (const wrong of [new Float32Array(3), new Float64Array(2), [0, 0], null, 2] as Float32Array[])
      await expect(batcher.step("ann", frames[1], wrong)).rejects.toThrow(/^batcher.step: into must be a Float32Array of 2 numbers, got /);
    const sent = new Float32Array(2);
    const next = batcher.step("ann", frames[1], sent);
    structuredClone(sent, { transfer: [sent.buffer] });
    expect([...(await next)]).toEqual(second);
    expect([...(await batcher.step("ann", frames[2]))]).toEqual(third);
    expect([...into]).toEqual(first);
    batcher.dispose();
  });

  it("lets the others go first when one stream has many frames", async () => {
    using batcher = await createBatcher(recurrent(), { backend, maxBatch: 2 });
    const order: string[] = [];
    const names = ["a", "a", "a", "a", "b", "c", "b"];
    await Promise.all(names.map(async (id) => (await batcher.step(id, [1, 2, 3]), order.push(id))));
    expect(order).toEqual(["a", "b", "c", "a", "b", "a", "a"]);
  });

  it("lets the event loop run between batches, even if all users send at once when they get a result", async () => {
    using batcher = await createBatcher(recurrent(), { backend, maxBatch: 4, maxWaitMs: 0 });
    let turns = 0;
    let ended = false;
    const others = (async () => {
      for (; !ended; turns++) await turn();
    })();
    const user = async (id: string): Promise<void> => {
      while (turns < 5) await batcher.step(id, [1, 2, 3]);
    };
    await Promise.all(["a", "b", "c", "d"].map(user));
    ended = true;
    await others;
  });

  it("keeps as many streams as it may, and no more", async () => {
    using batcher = await createBatcher(recurrent(), { backend, maxStreams: 2, maxBatch: 8 });
    await Promise.all([batcher.step("a", [1, 2, 3]), batcher.step("b", [1, 2, 3])]);
    const full = "batcher.step: there are 2 streams, which is the limit; close some, or give a higher maxStreams";
    await expect(batcher.step("c", [1, 2, 3])).rejects.toThrow(full);
    const state = batcher.state("a")!;
    expect(() => batcher.restore("c", state)).toThrow("batcher.restore: there are 2 streams");
    expect(batcher.ids()).toEqual(["a", "b"]);
    await batcher.step("a", [1, 2, 3]);
    expect(batcher.ids()).toEqual(["b", "a"]);
    expect(batcher.frames("a")).toBe(2);
    expect([batcher.close("a"), batcher.close("a"), batcher.frames("a"), batcher.state("a")]).toEqual([true, false, 0, undefined]);
    // The row of "a" is used again, from zeros.
    expect(await batcher.step("c", [1, 2, 3])).toEqual((await alone(recurrent(), [[1, 2, 3]]))[0]);
    for (const id of [undefined, null, 7, {}]) await expect(batcher.step(id as never, [1, 2, 3])).rejects.toThrow("id must be a text");
  });

  it("closes streams that are idle and hands out their states", async () => {
    const model = recurrent();
    const frames = [1, 2, 3, 4].map((seed) => Array.from(numbers(3, seed)));
    const idle: [string, Uint8Array<ArrayBuffer>][] = [];
    let ended = (): void => undefined;
    const both = new Promise<void>((resolve) => (ended = resolve));
    using batcher = await createBatcher(model, {
      backend,
      idleMs: 30,
      onIdle: (...one) => {
        if (idle.push(one) === 2) ended();
      },
    });
    await Promise.all([batcher.step("a", frames[0]), batcher.step("b", frames[0])]);
    await both;
    expect(idle.map(([id]) => id)).toEqual(["a", "b"]);
    expect(batcher.ids()).toEqual([]);
    expect(batcher.restore("a", idle[0][1])).toBe(1);
    expect(await batcher.step("a", frames[1])).toEqual((await alone(model, frames))[1]);
    expect(await batcher.step("b", frames[1])).toEqual((await alone(model, frames.slice(1)))[0]);
  });

  it("makes room for a new stream by closing an idle one", async () => {
    using batcher = await createBatcher(recurrent(), { backend, maxStreams: 1, idleMs: 1 });
    await batcher.step("a", [1, 2, 3]);
    const started = performance.now();
    while (performance.now() - started < 2);
    expect(await batcher.step("b", [1, 2, 3])).toHaveLength(2);
    expect(batcher.frames("a")).toBe(0);
  });
});

describe("idle streams whose states cannot be read", () => {
  const frames = [1, 2].map((seed) => Array.from(numbers(3, seed)));

  /** Three streams with a frame each. Those in `failing` cannot be read, as long as they are in it. */
  async function idling(failing: Set<string>) {
    const [tried, idle] = [new Map<string, number>(), new Map<string, Uint8Array<ArrayBuffer>>()];
    const batcher = await createBatcher(recurrent(), { backend, idleMs: 20, onIdle: (id, state) => idle.set(id, state) });
    // The first of them has row 0, and so on.
    const { state } = (batcher as unknown as { stream: { state: { read(row: number): unknown } } }).stream;
    const read = state.read.bind(state);
    state.read = (row) => {
      const id = "abc"[row];
      tried.set(id, (tried.get(id) ?? 0) + 1);
      if (failing.has(id)) throw new RangeError(`no memory for ${id}`);
      return read(row);
    };
    await Promise.all(["a", "b", "c"].map((id) => batcher.step(id, frames[0])));
    const until = async (done: () => boolean): Promise<void> => {
      while (!done()) await turn(2);
    };
    return { batcher, tried, idle, until };
  }

  it.each([["a"], ["b"], ["c"], ["a", "b"], ["a", "c"]])("stay, are tried again, and keep no other from its end: %s %s", async (...ids) => {
    const failing = new Set(ids);
    const { batcher, tried, idle, until } = await idling(failing);
    await until(() => idle.size === 3 - ids.length && ids.every((id) => tried.get(id)! > 1));
    expect(batcher.ids().sort()).toEqual(ids);
    for (const id of ids) {
      expect(idle.has(id)).toBe(false);
      expect(() => batcher.state(id)).toThrow(`no memory for ${id}`);
    }
    failing.clear();
    await until(() => idle.size === 3);
    expect(batcher.ids()).toEqual([]);
    // Nothing of them is lost.
    for (const id of ids) expect(batcher.restore(id, idle.get(id)!)).toBe(1);
    expect(await batcher.step(ids[0], frames[1])).toEqual((await alone(recurrent(), frames))[1]);
    batcher.dispose();
  });

  it("say so to their next frame, which is as if it had not come, and to no other's", async () => {
    const { batcher, tried, until } = await idling(new Set("a"));
    await until(() => tried.has("a"));
    // At one moment: later ones would find it tried again.
    expect(batcher.frames("a")).toBe(1);
    const [own, other, next] = await Promise.allSettled([
      batcher.step("a", frames[1]),
      batcher.step("d", frames[0]),
      batcher.step("a", frames[1]),
    ]);
    expect(own).toMatchObject({ status: "rejected", reason: { message: "no memory for a" } });
    expect(other.status).toBe("fulfilled");
    expect(next).toEqual({ status: "fulfilled", value: (await alone(recurrent(), frames))[1] });
    batcher.dispose();
  });

  it("go on from the state that replaces theirs", async () => {
    const { batcher, tried, idle, until } = await idling(new Set("a"));
    await until(() => tried.has("a") && idle.has("b"));
    // All three have had the same frame.
    expect(batcher.restore("a", idle.get("b")!)).toBe(1);
    expect(await batcher.step("a", frames[1])).toEqual((await alone(recurrent(), frames))[1]);
    batcher.dispose();
  });

  it("are no longer tried once the batcher has ended", async () => {
    const { batcher, tried, until } = await idling(new Set("abc"));
    await until(() => ["a", "b", "c"].every((id) => tried.get(id)! > 0));
    expect(batcher.ids().sort()).toEqual(["a", "b", "c"]);
    batcher.dispose();
    const before = Array.from(tried.values());
    await turn(60);
    expect(Array.from(tried.values())).toEqual(before);
  });
});

describe("a batcher's states", () => {
  it("go on in another batcher, after any number of frames", async () => {
    const model = characters();
    const frames = Array.from({ length: 12 }, (_, i) => [(i * i) % 7]);
    const expected = await alone(model, frames);
    for (const first of [0, 1, 5, 11]) {
      using one = await createBatcher(model, { backend, maxStreams: 3 });
      using other = await createBatcher(characters(), { backend, maxStreams: 5 });
      await other.step("z", [3]);
      for (const frame of frames.slice(0, Math.max(first, 1))) await one.step("a", frame);
      const state = one.state("a")!;
      expect(other.restore("b", state)).toBe(Math.max(first, 1));
      const rest = await Promise.all(frames.slice(Math.max(first, 1)).map((frame) => other.step("b", frame)));
      expect(rest).toEqual(expected.slice(Math.max(first, 1)));
      expect(decodeSafetensors(state).tensors["1.h"].shape).toEqual([2, 1, 6]);
    }
  });

  it("of another model or damaged are refused, and change nothing", async () => {
    const model = recurrent();
    const frames = [1, 2, 3].map((seed) => numbers(3, seed));
    using batcher = await createBatcher(model, { backend, maxStreams: 2 });
    using other = await createBatcher(characters(), { backend });
    using wider = await createBatcher(new Sequential({ rnn: new LSTM(3, 11) }), { backend });
    await Promise.all([batcher.step("a", frames[0]), other.step("a", [1]), wider.step("a", frames[0])]);
    const state = batcher.state("a")!;
    const { tensors } = decodeSafetensors(state);
    for (const id of ["a", "b", "c"]) {
      expect(() => batcher.restore(id, other.state("a")!)).toThrow("these belong to another model");
      expect(() => batcher.restore(id, wider.state("a")!)).toThrow('"rnn.h" must be [1, 1, 10], got [1, 1, 11]');
      expect(() => batcher.restore(id, state.slice(0, -4))).toThrow(/safetensors/i);
      for (const count of ["", "1.5", "-1", "many"])
        expect(() => batcher.restore(id, encodeSafetensors(tensors, { frames: count }))).toThrow("batcher.restore: state must come from");
      const spoilt = { ...tensors, "rnn.c": { shape: [1, 1, 10], data: new Float32Array(10).fill(NaN) } };
      expect(() => batcher.restore(id, encodeSafetensors(spoilt, { frames: "1" }))).toThrow("must be finite");
    }
    expect(batcher.ids()).toEqual(["a"]);
    expect(await batcher.step("a", frames[1])).toEqual((await alone(model, frames))[1]);
  });
});

describe("a batcher whose model changes", () => {
  it("gives all streams the new parameters at their next frame", async () => {
    const [model, other] = [recurrent(), new Sequential({ rnn: new LSTM(3, 10, { seed: 8 }), out: new Linear(10, 2, { seed: 9 }) })];
    using batcher = await createBatcher(model, { backend });
    using twin = await createBatcher(other, { backend });
    const ids = Array.from({ length: 21 }, (_, i) => `user ${i}`);
    const send = (to: Batcher, seed: number): Promise<Float32Array[]> => Promise.all(ids.map((id, i) => to.step(id, numbers(3, seed + i))));
    await send(batcher, 100);
    for (const id of ids) twin.restore(id, batcher.state(id)!);
    const waiting = send(batcher, 200);
    model.loadStateDict(await other.stateDict());
    await waiting;
    for (const id of ids) twin.restore(id, batcher.state(id)!);
    expect(await send(batcher, 300)).toEqual(await send(twin, 300));
  });

  it("refuses the frames that wait once the model, the batcher or the backend is gone", async () => {
    const own = await createBackend("cpu");
    for (const end of ["model", "batcher", "backend"]) {
      const model = recurrent();
      const idle: string[] = [];
      const batcher = await createBatcher(model, { backend: own, idleMs: 1, onIdle: (id) => idle.push(id) });
      await batcher.step("a", [1, 2, 3]);
      const calls = ["a", "a", "b", "b"].map((id) => batcher.step(id, [1, 2, 3]));
      if (end === "model") model.dispose();
      else if (end === "batcher") batcher.dispose();
      else own.destroy();
      const results = await Promise.allSettled(calls);
      const why = end === "backend" ? "the backend was destroyed" : "ended, because the batcher or its model has been disposed of";
      for (const result of results) expect(String((result as PromiseRejectedResult).reason)).toContain(why);
      await expect(batcher.step("a", [1, 2, 3])).rejects.toThrow(end === "backend" ? "the backend was destroyed" : "has been disposed of");
      if (end !== "backend") {
        for (const call of [() => batcher.state("a"), () => batcher.close("a"), () => batcher.frames("a")])
          expect(call).toThrow("the batcher has been disposed of, or its model has; create a new one");
      }
      // Timers of a batcher that has ended do nothing.
      const known = idle.length;
      await turn(5);
      if (end !== "backend") expect(idle).toHaveLength(known);
      batcher.dispose();
    }
  });

  it("gives its memory back", async () => {
    // On a backend of its own: a collection frees the models that other tests left on the shared one at any moment.
    const own = await createBackend("cpu");
    const batcher = await createBatcher(recurrent(), { backend: own });
    await batcher.step("a", [1, 2, 3]);
    expect(own.counters.bytes).toBeGreaterThan(0);
    batcher.dispose();
    batcher.dispose();
    expect(own.counters.bytes).toBe(0);
    own.destroy();
  });

  it("is refused with options that do not fit", async () => {
    const refused = (options: object): Promise<unknown> => createBatcher(recurrent(), { backend, ...options });
    await expect(refused({ maxBatch: 0 })).rejects.toThrow("createBatcher: maxBatch must be an integer of at least 1, got 0");
    await expect(refused({ maxWaitMs: -1 })).rejects.toThrow("maxWaitMs must be a finite number of at least 0");
    await expect(refused({ maxStreams: 2 ** 21 })).rejects.toThrow("maxStreams must be at most 1048576, got 2097152");
    await expect(refused({ idleMs: 0 })).rejects.toThrow("idleMs must be a finite number above 0");
    await expect(refused({ onIdle: 3 })).rejects.toThrow("onIdle must be a function, got 3");
    await expect(refused({ maxbatch: 3 })).rejects.toThrow('did you mean "maxBatch"?');
    await expect(createBatcher(3 as never)).rejects.toThrow("model: must be a Module, got 3");
    await expect(createBatcher(new GRU(2, 3, { bidirectional: true }), { backend })).rejects.toThrow(
      "needs layers that read forwards only",
    );
  });
});
