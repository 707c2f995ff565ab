// A model's parameters on a backend: where each one is, who has the newest values, and what the memory is when.
import { describe, expect, it } from "vitest";
import { BatchNorm1d, createBackend, Dropout, Linear, LSTM, RnnError, Sequential, type Backend, type Module } from "webgpu-rnn";
import type { DeviceBuffer } from "../../src/backend/backend.ts";
import { Recording } from "../../src/recording/recording.ts";
import { ParameterStore } from "../../src/session/parameter-store.ts";
import { clearOthers } from "../../src/train/loss-recorder.ts";

const backend: Backend = await createBackend("cpu", { wasm: false });

/** Weights of 8 and 3 numbers, biases of 4 and 1; each begins at a multiple of 64. */
const twoLinears = (): Sequential => new Sequential([new Linear(2, 4, { seed: 1 }), new Linear(4, 1, { seed: 2 })]);
const normed = (): Sequential => new Sequential([new Linear(2, 4, { seed: 1 }), new BatchNorm1d(4), new Linear(4, 1, { seed: 2 })]);
const withoutParameters = (): Module => new Dropout(0.5);

const placesOf = (store: ParameterStore): Record<string, number> =>
  Object.fromEntries([...store.places].map(([path, { offset }]) => [path, offset]));
const flatOf = async (store: ParameterStore): Promise<number[]> => [...(await backend.read(store.parameters))];
/** Writes numbers into the flat buffer as a training step does, and says so. */
function train(store: ParameterStore, value: number, on: Backend = backend): void {
  on.write(store.parameters, new Float32Array(store.length).fill(value));
  store.changed();
}

describe("places of parameters", () => {
  it("begin at multiples of 64, trainable ones first, running statistics behind them", () => {
    const store = new ParameterStore(normed(), backend);
    expect(placesOf(store)).toEqual({
      "0.weight": 0,
      "0.bias": 64,
      "1.weight": 128,
      "1.bias": 192,
      "2.weight": 256,
      "2.bias": 320,
      "1.running_mean": 384,
      "1.running_var": 448,
    });
    expect([store.trainedLength, store.length]).toEqual([384, 512]);
    expect(store.learnable.map(({ path }) => path)).toEqual(["0.weight", "0.bias", "1.weight", "1.bias", "2.weight", "2.bias"]);
    expect([...store.parametersByPath.keys()]).toEqual(Object.keys(placesOf(store)));
    expect(store.keepsStatistics).toBe(true);
    expect(new ParameterStore(twoLinears(), backend).keepsStatistics).toBe(false);
  });

  it("take 64 numbers at least, so that there is something to bind", () => {
    const store = new ParameterStore(withoutParameters(), backend);
    expect([store.trainedLength, store.length, store.parameters.length, store.gradients.length]).toEqual([64, 64, 64, 64]);
    expect(store.things).toEqual([store]);
  });

  it("are what turns queue for, so that models and backends that share them wait for each other", async () => {
    const shared = new Linear(2, 4, { seed: 1 });
    const stores = [shared, new Sequential([shared, new Linear(4, 1, { seed: 2 })])].map((model) => new ParameterStore(model, backend));
    expect(stores[0].things).toEqual([...stores[0].parametersByPath.values()]);
    let end = (): void => undefined;
    const turn = stores[0].inTurn(() => new Promise<void>((resolve) => (end = resolve)));
    expect(stores[1].syncNow()).toBe(false);
    end();
    await turn;
    expect(stores[1].syncNow()).toBe(true);
  });

  it("are parts of a flat view, in the shape that the device has", () => {
    const store = new ParameterStore(new Sequential([new Linear(2, 2, { seed: 1 }), new LSTM(2, 3, { seed: 1 })]), backend);
    const recording = new Recording();
    const { offset, shape } = store.viewOf("1.weight_hh_l0", recording.buffer("parameters", [store.length], "external"));
    expect([offset, shape]).toEqual([store.places.get("1.weight_hh_l0")!.offset, [12, 3]]);
  });

  it("say what is frozen, learnt and trained", () => {
    const model = normed();
    const store = new ParameterStore(model, backend);
    expect([store.frozen, store.learnt.length]).toEqual(["++++++", 6]);
    model.freeze("1.bias");
    expect(store.frozen).toBe("+++-++");
    expect(store.learnt).toEqual(["0.weight", "0.bias", "1.weight", "2.weight", "2.bias"]);
    expect(store.trained.map(({ path }) => path)).toEqual(store.learnt);
    expect(store.learnable).toHaveLength(6);
  });

  it("are split into tensors in file order, learnable ones unless others are named", () => {
    const store = new ParameterStore(normed(), backend);
    const flat = Float32Array.from({ length: store.length }, (_, i) => i);
    const parts = store.split(flat);
    expect(Object.keys(parts)).toEqual(store.learnt);
    expect(parts["1.bias"]).toEqual({ shape: [4], data: Float32Array.of(192, 193, 194, 195) });
    expect(Object.keys(store.split(flat, [store.places.get("1.running_var")!]))).toEqual(["1.running_var"]);
  });

  it("get zeros as gradients before the first dispatch where nothing reaches them", () => {
    const store = new ParameterStore(normed(), backend);
    const recording = new Recording();
    const gradients = recording.buffer("gradients", [store.trainedLength], "external");
    clearOthers(store, recording, gradients, ["0.weight", "1.bias", "2.weight", "2.bias"]);
    const cleared = recording.commands.map((command) => command.kind === "clear" && [command.view.offset, command.view.shape]);
    expect(cleared).toEqual(
      expect.arrayContaining([
        [64, [64]],
        [128, [64]],
      ]),
    );
    expect(cleared).toHaveLength(2);
  });
});

describe("memory of parameters", () => {
  it("is made when it is first needed, once, by name", () => {
    const store = new ParameterStore(normed(), backend);
    const { parameters, gradients } = store;
    expect([parameters.label, parameters.length, gradients.label, gradients.length]).toEqual(["parameters", 512, "gradients", 384]);
    expect([store.parameters, store.gradients]).toEqual([parameters, gradients]);
    expect(store.memoryOf("parameters")).toBe(parameters);
    expect(store.memoryOf("gradients")).toBe(gradients);
    expect(store.memoryOf("norm")).toBeUndefined();
  });

  it("comes back with the host's values after it was freed for now", async () => {
    const model = twoLinears();
    const store = new ParameterStore(model, backend);
    await store.sync();
    const { parameters, gradients } = store;
    store.clear();
    expect([parameters.freed, gradients.freed]).toEqual([true, true]);
    expect(store.isStale).toBe(true);
    expect(store.parameters).not.toBe(parameters);
    await store.sync();
    expect((await flatOf(store)).slice(0, 8)).toEqual([...(await model.stateDict())["0.weight"].data]);
  });

  it("keeps its values where only the gradients were freed", async () => {
    const store = new ParameterStore(twoLinears(), backend);
    await store.sync();
    backend.free(store.gradients);
    expect(store.gradients.freed).toBe(false);
    expect(store.isStale).toBe(false);
  });

  it("is refused after it was freed for good", () => {
    const store = new ParameterStore(twoLinears(), backend);
    const { parameters } = store;
    store.free();
    store.free();
    expect(parameters.freed).toBe(true);
    for (const use of [() => store.parameters, () => store.gradients, () => store.memoryOf("gradients")])
      expect(use).toThrow(expect.objectContaining({ kind: "option", message: expect.stringContaining("disposed of") as string }));
  });
});

describe("values of parameters", () => {
  it("are uploaded once, and again where they changed on the host, each at its place", async () => {
    const model = twoLinears();
    const store = new ParameterStore(model, backend);
    expect(store.isStale).toBe(true);
    await store.sync();
    const first = store.moment;
    await store.sync();
    expect(store.moment).toBe(first);
    expect(store.isStale).toBe(false);
    const parameter = store.parametersByPath.get("1.weight")!;
    // Numbers that only an upload of this parameter would bring back.
    backend.write(store.parameters, new Float32Array(store.length).fill(9));
    parameter.set(Float32Array.of(1, 2, 3, 4));
    expect(store.isStale).toBe(true);
    await store.sync();
    expect(store.moment).not.toBe(first);
    const flat = await flatOf(store);
    const { offset } = store.places.get("1.weight")!;
    expect(flat.slice(offset, offset + 4)).toEqual([1, 2, 3, 4]);
    expect(flat.slice(0, 8)).toEqual(new Array(8).fill(9));
  });

  it("reach the host when a run has changed them, and other stores from there", async () => {
    const model = normed();
    const [store, other] = [new ParameterStore(model, backend), new ParameterStore(model, backend)];
    await store.sync();
    await other.sync();
    const before = store.moment;
    train(store, 7);
    expect(store.moment).not.toBe(before);
    expect([store.isStale, other.isStale]).toEqual([false, true]);
    for (const { parameter } of store.places.values()) expect([parameter.newest, parameter.version]).toEqual([store, 2]);
    await other.sync();
    expect((await flatOf(other))[other.places.get("1.running_var")!.offset]).toBe(7);
    expect([...(await model.stateDict())["2.bias"].data]).toEqual([7]);
  });

  it("that the host set during a run are newer than the run's", async () => {
    const model = twoLinears();
    const store = new ParameterStore(model, backend);
    await store.sync();
    store.parametersByPath.get("1.bias")!.set(Float32Array.of(5));
    train(store, 7);
    expect(store.isStale).toBe(true);
    const state = await model.stateDict();
    expect([[...state["1.bias"].data], [...state["0.bias"].data]]).toEqual([[5], [7, 7, 7, 7]]);
    await store.sync();
    expect((await flatOf(store))[192]).toBe(5);
  });

  it("can be uploaded at once unless a turn is going on, or a device cannot answer at once", async () => {
    const model = twoLinears();
    const store = new ParameterStore(model, backend);
    let end = (): void => undefined;
    const turn = store.inTurn(() => new Promise<void>((resolve) => (end = resolve)));
    expect(store.syncNow()).toBe(false);
    expect(store.isStale).toBe(true);
    end();
    await turn;
    expect(store.syncNow()).toBe(true);
    expect(store.isStale).toBe(false);
    const parameter = store.parametersByPath.get("0.weight")!;
    parameter.newest = { read: () => Promise.reject(new Error("not now")), readNow: () => undefined };
    parameter.version++;
    expect(store.syncNow()).toBe(false);
    expect(store.isStale).toBe(true);
  });

  it("are what `write` says, whatever the model has", async () => {
    const model = normed();
    const store = new ParameterStore(model, backend);
    const values = await model.stateDict();
    for (const { data } of Object.values(values)) (data as Float32Array).fill(3);
    const { moment } = store;
    store.write(values);
    expect(store.moment).not.toBe(moment);
    const flat = await flatOf(store);
    for (const { offset } of store.places.values()) expect(flat[offset]).toBe(3);
    expect((await model.stateDict())["0.bias"].data[0]).not.toBe(3);
  });

  it("are read in device order and told by name in file order", async () => {
    const model = new LSTM(2, 3, { seed: 1 });
    const store = new ParameterStore(model, backend);
    await store.sync();
    const [later, now] = [await store.read(), store.readNow()!];
    const parameter = store.parametersByPath.get("bias_hh_l0")!;
    expect(later(parameter)).toEqual(parameter.permuteToDevice(parameter.hostValues));
    expect(now(parameter)).toEqual(parameter.permuteToDevice(parameter.hostValues));
    expect(store.tensors(later)).toEqual(await model.stateDict());
  });

  it("have versions, by which changes show", async () => {
    const store = new ParameterStore(twoLinears(), backend);
    await store.sync();
    const { versions } = store;
    expect(store.changedSince(versions)).toEqual([]);
    const parameter = store.parametersByPath.get("0.bias")!;
    parameter.set(new Float32Array(4));
    expect(store.changedSince(versions)).toEqual([parameter]);
    expect(versions.get(parameter)).toBe(parameter.version - 1);
  });
});

describe("a store whose device is gone", () => {
  /** A backend whose reads fail, as those of one that ended so. */
  const failing = (ended: string | undefined): Backend =>
    Object.create(backend, {
      ended: { value: ended },
      read: { value: () => Promise.reject(new RnnError("device", "read", "the device is gone")) },
    }) as Backend;

  it("gives the values of an earlier moment where it has some, after the device was lost or failed", async () => {
    for (const ended of ["lost", "failed"]) {
      const store = new ParameterStore(twoLinears(), failing(ended));
      await expect(store.read()).rejects.toThrow("the device is gone");
      const earlier = (): Float32Array => Float32Array.of(1);
      store.fallback = earlier;
      expect(await store.read()).toBe(earlier);
    }
    for (const ended of ["destroyed", undefined]) {
      const store = new ParameterStore(twoLinears(), failing(ended));
      store.fallback = () => Float32Array.of(1);
      await expect(store.read()).rejects.toThrow("the device is gone");
    }
  });

  it("hands parameters that other modules share to the host before its memory goes", async () => {
    const shared = new Linear(2, 4, { seed: 1 });
    const model = new Sequential([shared, new Linear(4, 1, { seed: 2 })]);
    const store = new ParameterStore(model, backend);
    await store.sync();
    train(store, 7);
    const { parameters } = store;
    store.free();
    expect(parameters.freed).toBe(true);
    expect([...(await shared.stateDict()).weight.data]).toEqual(new Array(8).fill(7));
  });

  it("hands over nothing else: neither what the host has, nor what nobody holds any more", async () => {
    const kept = new Linear(2, 4, { seed: 1 });
    const left = new Linear(4, 1, { seed: 2 });
    const model = new Sequential([kept, left]);
    let reads = 0;
    const counting = Object.create(backend, { read: { value: (buffer: DeviceBuffer) => (reads++, backend.read(buffer)) } }) as Backend;
    const store = new ParameterStore(model, counting);
    await store.sync();
    train(store, 7, counting);
    const [weight, bias] = kept.namedParameters();
    weight[1].set(new Float32Array(8).fill(5));
    for (const [, parameter] of left.namedParameters()) parameter.owners = 0;
    store.free();
    store.free();
    expect([weight[1].newest, bias[1].newest === store]).toEqual([undefined, false]);
    for (const [, parameter] of left.namedParameters()) expect(parameter.newest).toBe(store);
    const state = await kept.stateDict();
    expect([state.weight.data[0], state.bias.data[0], reads]).toEqual([5, 7, 1]);

    const untrained = new ParameterStore(twoLinears(), counting);
    await untrained.sync();
    untrained.free();
    expect(reads).toBe(1);
  });

  it("tells whoever asks for a shared parameter that it could not be read, and nobody else", async () => {
    const model = twoLinears();
    const lost = failing(undefined);
    const store = new ParameterStore(model, lost);
    await store.sync();
    train(store, 7, lost);
    store.free();
    await new Promise((resolve) => setTimeout(resolve, 5));
    await expect(model.stateDict()).rejects.toThrow("the device is gone");
  });
});
