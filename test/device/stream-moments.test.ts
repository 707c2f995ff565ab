// Parameters that change while calls of a stream on a device are on their way: each call has those of its own moment.
import { describe, expect, it } from "vitest";
import {
  createStream,
  forward,
  GRU,
  Linear,
  LSTM,
  Sequential,
  sgd,
  squaredError,
  Trainer,
  type Backend,
  type DeviceStream,
  type Module,
  type Stream,
  type Tensor,
} from "webgpu-rnn";
import { LearntStates } from "./learnt-states.ts";
import { backend as shared, expectClose, numbers } from "./support.ts";
import { sampled } from "../thorough.ts";

type On<Kind> = Backend & { readonly kind: Kind };
const device = (await shared("webgpu")) as On<"webgpu">;

const subjects: Record<string, () => Module> = {
  "an LSTM": () => new Sequential({ rnn: new LSTM(3, 6, { seed: 1 }), out: new Linear(6, 2, { seed: 2 }) }),
  "a wide GRU": () => new GRU(3, 70, { seed: 3 }),
  "first states that are parameters": () => new LearntStates(3, 5),
};

/** Draws of integers below `count`, the same in each run. */
function drawer(seed: number): (count: number) => number {
  let state = seed;
  return (count) => Math.floor(((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32) * count);
}

const scaled = (dict: Readonly<Record<string, Tensor>>, factor: number): Record<string, Tensor> =>
  Object.fromEntries(
    Object.entries(dict).map(([name, { shape, data }]) => [name, { shape, data: data.map((x) => x * factor) as Float32Array }]),
  );

const joined = (tensors: Readonly<Record<string, Tensor>>): number[] => Object.values(tensors).flatMap(({ data }) => Array.from(data));

/**
 * Calls of a stream on a device, and what the same calls give on the CPU, which computes while the caller waits. Both
 * have a model of their own, since turns of the device's would keep new parameters from a stream on the CPU for a while.
 */
class Twins {
  private readonly calls: { readonly what: string; readonly found: Promise<ArrayLike<number>>; readonly expected: ArrayLike<number> }[] =
    [];

  private constructor(
    readonly model: Module,
    private readonly twin: Module,
    readonly far: DeviceStream,
    private readonly near: Stream,
  ) {}

  static async of(make: () => Module): Promise<Twins> {
    const options = { batch: 2, features: 3 };
    const [model, twin] = [make(), make()];
    const far = await createStream(model, { ...options, backend: device });
    return new Twins(model, twin, far, await createStream(twin, options));
  }

  /** The device's model changes in another way, and its twin is told. */
  tell(dict: Readonly<Record<string, Tensor>>): void {
    this.twin.loadStateDict(dict);
  }

  load(dict: Readonly<Record<string, Tensor>>): void {
    this.model.loadStateDict(dict);
    this.tell(dict);
  }

  call(kind: "steps" | "stepRows" | "state" | "reset" | "step", seed: number): void {
    const { far, near } = this;
    const add = (found: Promise<ArrayLike<number>>, expected: ArrayLike<number>): void =>
      void this.calls.push({ what: `${kind}, call ${this.calls.length}`, found, expected: Array.from(expected) });
    const frame = numbers(6, seed);
    if (kind === "steps") add(far.steps(numbers(18 * 6, seed)), near.steps(numbers(18 * 6, seed)));
    else if (kind === "stepRows") add(far.stepRows([1], frame.subarray(3)), near.stepRows([1], frame.subarray(3)));
    else if (kind === "state") add(far.state.read().then(joined), joined(near.state.read()));
    else if (kind === "step") add(far.step(frame), near.step(frame));
    else {
      near.reset(seed % 2);
      add(
        far.reset(seed % 2).then(() => []),
        [],
      );
    }
  }

  /** Ends both streams. */
  async compare(): Promise<void> {
    expect(this.calls.length).toBeGreaterThan(10);
    for (const { what, found, expected } of this.calls) expectClose(what, await found, expected);
    this.far.dispose();
    this.near.dispose();
  }
}

const turns = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await Promise.resolve();
};

describe.each(Object.entries(subjects))("a stream on a device, of %s", (_, make) => {
  // At each of these moments the calls are in other stages: waiting, in their turn, submitted, done.
  it.each(sampled([0, 1, 2, 3, 5, 8, 13, 21, 60], 5))(
    "computes calls with the parameters that there were, changed %i turns later",
    async (later) => {
      const twins = await Twins.of(make);
      const dict = await twins.model.stateDict();
      for (const factor of [0.5, -1, 0.25]) {
        for (let i = 0; i < 12; i++) twins.call("step", i);
        await turns(later);
        twins.load(scaled(dict, factor));
      }
      twins.call("step", 99);
      await twins.compare();
    },
  );

  it.each(sampled([1, 2, 3, 4, 5, 6, 7, 8], 4))(
    "gives what a stream on the CPU gives, whatever others do with the model: %i",
    async (seed) => {
      const draw = drawer(seed);
      const twins = await Twins.of(make);
      const { model } = twins;
      const dict = await model.stateDict();
      const others: Promise<unknown>[] = [];
      for (let i = 0; i < 80; i++) {
        const kind = draw(12);
        if (kind === 11) twins.load(scaled(dict, draw(200) / 100 - 1));
        else if (kind === 10) others.push(forward(model, { shape: [1, 2, 3], data: numbers(6, i) }, { backend: device }));
        else twins.call((["steps", "stepRows", "state", "reset"] as const)[kind] ?? "step", i);
        if (draw(4) === 0) await turns(draw(30));
      }
      await Promise.all(others);
      await twins.compare();
    },
  );

  it("computes what was called before a training with the parameters from before", async () => {
    const twins = await Twins.of(make);
    const { model, far } = twins;
    const width = far.outputSize;
    const data = {
      batches: 1,
      batch: () => ({ input: { shape: [4, 2, 3], data: numbers(24) }, targets: { shape: [4, 2, width], data: numbers(8 * width, 9) } }),
    };
    const options = { backend: device, data, loss: squaredError(), optimizer: sgd({ learningRate: 0.5 }), carryState: false };
    using trainer = new Trainer(model, options);
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 20; i++) twins.call("step", i);
      await trainer.train({ steps: 2 });
      twins.tell(await model.stateDict());
    }
    twins.call("step", 99);
    await twins.compare();
  });
});

it("Calls of one moment share its parameters and packed weights, however many wait", async () => {
  const twins = await Twins.of(subjects["a wide GRU"]);
  const dict = await twins.model.stateDict();
  const dispatchesOf = async (calls: number): Promise<number> => {
    const before = device.counters.dispatches;
    for (let i = 0; i < calls; i++) twins.call("step", i);
    await twins.far.state.clone();
    return device.counters.dispatches - before;
  };
  await dispatchesOf(1);
  const usual = await dispatchesOf(1);
  twins.load(scaled(dict, 0.5));
  const packing = (await dispatchesOf(1)) - usual;
  expect(packing).toBeGreaterThan(0);
  twins.load(dict);
  // By hand, since Vitest's spies need Node.
  let copies = 0;
  const copy = device.copy.bind(device);
  device.copy = (...given) => {
    copies++;
    copy(...given);
  };
  expect(await dispatchesOf(8)).toBe(8 * usual + packing);
  device.copy = copy;
  expect(copies).toBe(0);
  await twins.compare();
});
