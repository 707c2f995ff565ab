// The CPU backend's time loops read copies of their weights in another order. They must be copies of what the weights are
// at that moment, also if they change between two loops of one recording; and the order must not show in any bit.
import { describe, expect, it } from "vitest";
import { CpuBackend } from "../../src/backend/cpu/cpu-backend.ts";
import type { Kernel } from "../../src/kernels/kernel.ts";
import { gru } from "../../src/recurrent/cells/gru.ts";
import { lstm } from "../../src/recurrent/cells/lstm.ts";
import { rnnTanh } from "../../src/recurrent/cells/rnn.ts";
import { hSize, laneStart } from "../../src/recurrent/kernels/lanes.ts";
import { loopBackward } from "../../src/recurrent/kernels/loop.backward.ts";
import { loopForward } from "../../src/recurrent/kernels/loop.ts";
import { stepBackward } from "../../src/recurrent/kernels/step.backward.ts";
import { stepForward } from "../../src/recurrent/kernels/step.ts";
import { Recording, type Buffer } from "../../src/recording/recording.ts";
import { expectClose, numbers } from "../device/support.ts";

type Arrays = Record<string, Float32Array | Uint32Array>;
type Dispatch = [kernel: Kernel, params: Readonly<Record<string, number>>];

const T = 9;

/** Two loops, each after a copy of other weights into the buffer that both read; run twice, the second time with further weights. */
async function afterTwoLoops(backend: CpuBackend, arrays: Arrays, dispatches: readonly Dispatch[]): Promise<Arrays> {
  const recording = new Recording();
  const memory = new Map<Buffer, ReturnType<CpuBackend["createBuffer"]>>();
  const bufferOf = (label: string, values: Arrays[string]) => {
    const type = values instanceof Uint32Array ? "u32" : "f32";
    const view = recording.buffer(label, [values.length], "external", type);
    memory.set(view.buffer, backend.createBuffer(label, type, values.length, values));
    return view;
  };
  const { weights: first, ...others } = arrays;
  const weights = bufferOf("weights", first);
  for (const [n, source] of [first, first.map((value) => -0.7 * value) as Float32Array].entries()) {
    recording.copy(bufferOf(`source ${n}`, source), weights);
    const views = Object.fromEntries(Object.entries(others).map(([name, values]) => [name, bufferOf(`${name} ${n}`, values)]));
    for (const [kernel, params] of dispatches) recording.dispatch(kernel, { ...views, weights }, params);
  }
  const program = await backend.prepare(recording, memory);
  await program.run();
  const begun = [...memory].map(([, buffer]) => [buffer, buffer.label.replace(/ \d$/, "")] as const);
  for (const [buffer, name] of begun)
    if (name === "source")
      backend.write(
        buffer,
        Array.from(buffer.array, (value) => -value),
      );
    else backend.write(buffer, arrays[name]);
  await program.run();
  return Object.fromEntries([...memory].map(([{ label }, { array }]) => [label, array.slice() as Float32Array]));
}

describe.each([lstm, gru, rnnTanh])("loops of many steps of $name", (cell) => {
  const G = cell.gateNames.length;

  it.each([
    [1, 40],
    [4, 8],
    [5, 91],
  ])("read the weights of the moment, B=%i H=%i", async (B, H) => {
    const [fast, twins] = await Promise.all([CpuBackend.create(), CpuBackend.create({ wasm: false })]);
    const segment = { T, hBase: 0, first: 0, steps: T, lanes: 2, reverse: 2, B, H };
    const of = (length: number) => laneStart(2, length);
    const state = {
      gates: numbers(of(T * B * H) * G, 1),
      weights: numbers(of((H + 2) * H) * G, 2, 2 / Math.sqrt(H)),
      h: numbers(of(hSize(segment)), 4),
      c: numbers(of((T + 1) * B * H), 5),
      lengths: new Uint32Array(B).fill(T),
    };
    const gradients = { dy: numbers(of(T * B * H), 6), carry: numbers(of(B * H) * 2, 7), dRecurrent: numbers(of(T * B * H) * G, 8) };
    const steps = Array.from({ length: T }, (_, i) => i);
    const passes: [Arrays, Dispatch, Dispatch[]][] = [
      [state, [loopForward(cell, H, B), segment], steps.map((i) => [stepForward(cell), { ...segment, i }])],
      [
        { ...state, ...gradients },
        [loopBackward(cell, H, B), { ...segment, tail: 0 }],
        steps.reverse().map((i) => [stepBackward(cell), { ...segment, i, tail: 0 }]),
      ],
    ];
    for (const [arrays, loop, single] of passes) {
      const actual = await afterTwoLoops(fast, arrays, [loop]);
      const expected = await afterTwoLoops(twins, arrays, [loop]);
      const bySteps = await afterTwoLoops(fast, arrays, single);
      for (const name of Object.keys(expected)) {
        expectClose(`${loop[0].name} ${name}`, actual[name], expected[name], { atol: 1e-5, rtol: 1e-4 });
        expect(actual[name], `${loop[0].name} ${name} by steps`).toEqual(bySteps[name]);
      }
    }
    fast.destroy();
    twins.destroy();
  });
});
