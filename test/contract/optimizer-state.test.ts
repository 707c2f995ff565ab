// The end of a training step, as data: which parts of the flat buffers an update changes, what it records, how its state
// is kept, read and written.
import { describe, expect, it } from "vitest";
import {
  adam,
  BatchNorm1d,
  createBackend,
  Dropout,
  Linear,
  LSTM,
  type Module,
  rmsprop,
  Sequential,
  sgd,
  type Backend,
  type Optimizer,
  type Tensor,
} from "webgpu-rnn";
import { mostInOneGroup, mostUnclippedNorm, normGroups } from "../../src/kernels/gradient-norm.ts";
import { Recording, type Dispatch, type View } from "../../src/recording/recording.ts";
import { Session } from "../../src/session/session.ts";
import { checkClipping, OptimizerState } from "../../src/train/optimizer-state.ts";
import { slotShapes, writeSlots } from "../../src/train/write-snapshot.ts";

const backend: Backend = await createBackend("cpu", { wasm: false });
const unclipped = { clipNorm: 0, clipValue: 0 };

/** An optimiser's state for a model that has a session of its own. */
function stateOf(model: Module, optimizer: Optimizer = adam(), clip = unclipped): { state: OptimizerState; session: Session } {
  const session = Session.apart(model, backend);
  return { state: new OptimizerState(optimizer, session, clip), session };
}

/** Weights of 8 and 3 numbers, biases of 4 and 1, each aligned to 64. */
const twoLinears = (): Sequential => new Sequential([new Linear(2, 4, { seed: 1 }), new Linear(4, 1, { seed: 2 })]);
const paths = ["0.weight", "0.bias", "1.weight", "1.bias"];

/** What the next update records, and which buffers it wants. */
function recorded(
  state: OptimizerState,
  { store }: Session,
): { dispatches: Dispatch[]; recording: Recording; wanted: Map<string, readonly number[]> } {
  const recording = new Recording();
  const wanted = new Map<string, readonly number[]>();
  const external = (label: string, shape: readonly number[]): View => {
    wanted.set(label, shape);
    return recording.buffer(label, shape, "external");
  };
  const context = {
    recording,
    parameters: external("parameters", [store.length]),
    gradients: external("gradients", [store.trainedLength]),
    external,
  };
  const [losses, normalizer] = [recording.buffer("losses", [7], "input"), recording.buffer("normalizer", [2], "input")];
  state.record(context, losses, normalizer, state.nextUpdate());
  return { dispatches: recording.commands.filter((command) => command.kind === "dispatch"), recording, wanted };
}

const place = ({ buffer, offset, shape }: View): string => `${buffer.label}+${offset}[${shape.join()}]`;

describe("limits of gradients", () => {
  it("are 0 where none is given, and above 0 otherwise", () => {
    expect(checkClipping("Trainer", {})).toEqual({ clipNorm: 0, clipValue: 0 });
    expect(checkClipping("Trainer", { clipNorm: 5 })).toEqual({ clipNorm: 5, clipValue: 0 });
    expect(checkClipping("Trainer", { clipValue: 1e-9 })).toEqual({ clipNorm: 0, clipValue: 1e-9 });
    for (const name of ["clipNorm", "clipValue"])
      for (const bad of [0, -1, NaN, Infinity, "5", null])
        expect(() => checkClipping("Trainer", { [name]: bad as number }), `${name} ${bad}`).toThrow(name);
  });
});

describe("an update", () => {
  it("is one range for all parameters, which have had the same number of updates", () => {
    const { state } = stateOf(twoLinears());
    expect(state.nextUpdate()).toEqual({ key: "0+256:0", paths, ranges: [{ offset: 0, length: 256, group: 0 }], counts: [0] });
  });

  it("leaves out what is frozen, by parts of the flat buffer", () => {
    const model = twoLinears();
    const { state } = stateOf(model);
    model.freeze("0.bias");
    const update = state.nextUpdate();
    expect(update.paths).toEqual([paths[0], paths[2], paths[3]]);
    expect(update.ranges).toEqual([
      { offset: 0, length: 64, group: 0 },
      { offset: 128, length: 128, group: 0 },
    ]);
    expect(update.key).toBe("0+64:0,128+128:0");
  });

  it("groups parameters by how often they were updated, neighbours of one group in one range", () => {
    const model = twoLinears();
    const { state } = stateOf(model);
    model.freeze("1.weight");
    state.updated(state.nextUpdate());
    state.updated(state.nextUpdate());
    model.unfreeze("1.weight");
    const update = state.nextUpdate();
    expect(update.counts).toEqual([2, 0]);
    expect(update.ranges).toEqual([
      { offset: 0, length: 128, group: 0 },
      { offset: 128, length: 64, group: 1 },
      { offset: 192, length: 64, group: 0 },
    ]);
    expect(Object.fromEntries(state.updates)).toEqual({ [paths[0]]: 2, [paths[1]]: 2, [paths[2]]: 0, [paths[3]]: 2 });
    state.updated(update);
    expect([...state.updates.values()]).toEqual([3, 3, 1, 3]);
  });

  it("goes on from the numbers of a checkpoint, which later ones do not change", () => {
    const { state } = stateOf(twoLinears());
    const counts = new Map(paths.map((path, i) => [path, i < 2 ? 5 : 9]));
    state.updates = counts;
    expect(state.nextUpdate().counts).toEqual([5, 9]);
    state.updated(state.nextUpdate());
    expect([...state.updates.values()]).toEqual([6, 6, 10, 10]);
    expect([...counts.values()]).toEqual([5, 5, 9, 9]);
  });

  it("is refused where everything is frozen, and empty for a model without parameters", () => {
    const model = twoLinears();
    const { state } = stateOf(model);
    model.freeze();
    expect(() => state.nextUpdate()).toThrow(
      expect.objectContaining({ kind: "option", message: expect.stringContaining("frozen") as string }),
    );
    expect(stateOf(new Dropout(0.5)).state.nextUpdate()).toEqual({ key: "", paths: [], ranges: [], counts: [0] });
  });

  it("does not reach running statistics", () => {
    const { state, session } = stateOf(new Sequential([new Linear(2, 4, { seed: 1 }), new BatchNorm1d(4)]));
    expect(session.store.length).toBeGreaterThan(session.store.trainedLength);
    const { ranges } = state.nextUpdate();
    expect(ranges).toEqual([{ offset: 0, length: session.store.trainedLength, group: 0 }]);
    expect([...state.updates.keys()]).toEqual(session.store.learnt);
  });
});

describe("what an update records", () => {
  it("is loss and norm, then one dispatch for each range, with its part of every buffer", () => {
    const model = twoLinears();
    const { state, session } = stateOf(model, adam({ weightDecay: 0.5 }), { clipNorm: 3, clipValue: 0.25 });
    model.freeze("0.bias");
    const { dispatches, recording, wanted } = recorded(state, session);
    expect(dispatches.map(({ kernel }) => kernel.name)).toEqual(["gradient-norm", "adam", "adam"]);
    const [norm, first, second] = dispatches;
    expect(norm.params).toEqual({ length: 256, squared: 0, rows: 7, maxNorm: 3, mostNorm: 0 });
    expect(place(norm.views.values)).toBe("gradients+0[256]");
    expect(first.params).toMatchObject({ length: 64, clipValue: 0.25, weightDecay: 0.5 });
    expect(second.params).toMatchObject({ length: 128, clipValue: 0.25 });
    expect(Object.fromEntries(Object.entries(second.views).map(([name, view]) => [name, place(view)]))).toEqual({
      parameters: "parameters+128[128]",
      gradients: "gradients+128[128]",
      lastGood: "lastGood+384[384]",
      firstMoment: "optimizer.firstMoment+128[128]",
      secondMoment: "optimizer.secondMoment+128[128]",
      norm: "norm+0[4]",
      control: "control+0[4]",
    });
    expect(Object.fromEntries(wanted)).toMatchObject({
      norm: [4],
      lastGood: [3 * 256],
      "optimizer.firstMoment": [256],
      "optimizer.secondMoment": [256],
    });
    expect(recording.commands.slice(-2)).toMatchObject([
      { kind: "download", name: "loss" },
      { kind: "download", name: "norm" },
    ]);
  });

  it("has an input of its own for each number of updates", () => {
    const { state, session } = stateOf(twoLinears(), sgd());
    state.updates = new Map(paths.map((path, i) => [path, i]));
    const { dispatches } = recorded(state, session);
    expect(dispatches.slice(1).map(({ views }) => place(views.control))).toEqual([
      "control+0[4]",
      "control.1+0[4]",
      "control.2+0[4]",
      "control.3+0[4]",
    ]);
  });

  it("gives slots that the options leave unused one number, and no place in lastGood", () => {
    const { state, session } = stateOf(twoLinears(), rmsprop({ momentum: 0.5 }));
    const { dispatches, wanted } = recorded(state, session);
    expect(Object.fromEntries(wanted)).toMatchObject({
      lastGood: [3 * 256],
      "optimizer.squareAverage": [256],
      "optimizer.gradientAverage": [1],
      "optimizer.velocity": [256],
    });
    expect(place(dispatches[1].views.gradientAverage)).toBe("optimizer.gradientAverage+0[1]");
  });

  it("bounds the norm only where nothing clips", () => {
    for (const [clip, most] of [
      [unclipped, mostUnclippedNorm],
      [{ clipNorm: 1, clipValue: 0 }, 0],
      [{ clipNorm: 0, clipValue: 1 }, 0],
      [{ clipNorm: 2, clipValue: 1 }, 0],
    ] as const) {
      const { state, session } = stateOf(twoLinears(), sgd(), clip);
      expect(recorded(state, session).dispatches[0].params).toMatchObject({ maxNorm: clip.clipNorm, mostNorm: most });
    }
  });

  it("adds up squares in groups first, beyond what one workgroup reads", () => {
    for (const [columns, groups] of [
      [mostInOneGroup / 64 - 1, 0],
      [mostInOneGroup / 64, 1],
    ]) {
      const { state, session } = stateOf(new Linear(columns, 64, { seed: 1 }), sgd());
      const { dispatches } = recorded(state, session);
      const length = session.store.trainedLength;
      expect(length).toBe((columns + 1) * 64);
      expect(dispatches.map(({ kernel }) => kernel.name)).toEqual([...(groups ? ["gradient-norm-partial"] : []), "gradient-norm", "sgd"]);
      if (groups) expect(dispatches[0].params).toEqual({ length, groups: normGroups });
      expect(dispatches[groups].params).toMatchObject(groups ? { length: normGroups, squared: 1 } : { length, squared: 0 });
    }
  });
});

describe("the host's numbers for an update", () => {
  it("are one set for each group, with one learning rate, asked for once a group", () => {
    let asked = 0;
    const { state } = stateOf(twoLinears(), adam({ learningRate: () => 1 / ++asked, beta1: 0.5 }));
    state.updates = new Map([[paths[1], 1]]);
    const { control, "control.1": other, ...rest } = state.controls(state.nextUpdate(), 3);
    expect(rest).toEqual({});
    expect([control[0], other[0]]).toEqual([1, 1]);
    expect([...control]).not.toEqual([...other]);
  });
});

describe("an optimiser's memory", () => {
  const buffer = (length: number): { label: string; role: "external"; type: "f32"; length: number } => ({
    label: "velocity",
    role: "external",
    type: "f32",
    length,
  });

  it("is made once for a label, and anew where it was freed", () => {
    const { state } = stateOf(twoLinears());
    const first = state.memoryFor("velocity", buffer(8));
    expect([first.label, first.type, first.length]).toEqual(["velocity", "f32", 8]);
    expect(state.memoryFor("velocity", buffer(8))).toBe(first);
    expect(state.memoryFor("other", buffer(8))).not.toBe(first);
    backend.free(first);
    expect(state.memoryFor("velocity", buffer(8))).not.toBe(first);
  });

  it("is freed with it, and not made again", () => {
    const { state } = stateOf(twoLinears());
    const [first, second] = [state.memoryFor("a", buffer(8)), state.memoryFor("b", buffer(8))];
    state.free();
    expect([first.freed, second.freed]).toEqual([true, true]);
    expect(() => state.memoryFor("a", buffer(8))).toThrow(
      expect.objectContaining({ kind: "option", message: expect.stringContaining("a: ") as string }),
    );
  });

  it("says that all was well until a step was not", async () => {
    const { state } = stateOf(twoLinears());
    expect(await state.isHealthy()).toBe(true);
    state.begin();
    const norm = state.memoryFor("norm", buffer(4));
    expect([...(await backend.read(norm))]).toEqual([0, 1, 1, 0]);
    expect(await state.isHealthy()).toBe(true);
    backend.write(norm, [3, 0, 0, 1]);
    expect(await state.isHealthy()).toBe(false);
    state.begin();
    expect(await state.isHealthy()).toBe(true);
  });

  it("comes out by slot and parameter in file order, as it went in, at the moment of the call", async () => {
    const model = new Sequential([new LSTM(2, 3, { seed: 1 }), new Linear(3, 2, { seed: 2 })]);
    const { state, session } = stateOf(model, rmsprop({ momentum: 0.5 }));
    const shapes = [...slotShapes(state)];
    expect(shapes.map(([name]) => name)).toEqual(
      ["squareAverage", "velocity"].flatMap((slot) => session.store.learnt.map((path) => `${slot}.${path}`)),
    );
    let next = 0;
    const values = Object.fromEntries(
      shapes.map(([name, shape]): [string, Tensor] => {
        const size = shape.reduce((a, b) => a * b, 1);
        return [name, { shape, data: Float32Array.from({ length: size }, () => ++next) }];
      }),
    );
    writeSlots(state, values);
    const reading = await state.read();
    writeSlots(state, Object.fromEntries(shapes.map(([name, shape]) => [name, { shape, data: values[name].data.map((x) => -x) }])));
    expect(reading()).toEqual(values);
    // On the device the gates of a unit stand side by side: the second number of the bias is unit 0 of gate 1.
    const [{ offset }] = session.store.learnable.filter(({ path }) => path.endsWith("bias_hh_l0"));
    const flat = await backend.read(
      state.memoryFor("optimizer.velocity", { ...buffer(session.store.trainedLength), label: "optimizer.velocity" }),
    );
    const bias = values["velocity.0.bias_hh_l0"].data;
    expect([flat[offset], flat[offset + 1]]).toEqual([-bias[0], -bias[3]]);
  });

  it("is nothing for an optimiser without state", async () => {
    const { state } = stateOf(twoLinears(), sgd());
    expect(slotShapes(state).size).toBe(0);
    writeSlots(state, {});
    expect((await state.read())()).toEqual({});
  });
});
