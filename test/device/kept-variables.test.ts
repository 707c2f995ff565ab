/** What belongs to one forward pass and is used in another, or is no part of the model: errors in words, never numbers. */
import { describe, expect, it } from "vitest";
import { forward, gradients, Linear, LSTM, Module, Parameter, plannedMemory, type Context, type Variable } from "webgpu-rnn";
import * as ops from "webgpu-rnn/ops";
import { backend, kinds } from "./support.ts";

const B = 2;
const input = (steps: number) => ({ shape: [steps, B, 3], data: new Float32Array(steps * B * 3).fill(0.5) });

/** What a module has kept from the first call of its forward. */
interface Kept {
  readonly context: Context;
  readonly input: Variable;
  readonly parameter: Variable;
  readonly output: Variable;
}
interface Now {
  readonly context: Context;
  readonly x: Variable;
  readonly output: Variable;
}
type Later = (kept: Kept, now: Now, layer: LSTM) => Variable;

class Keeping extends Module {
  readonly layer = new LSTM(3, 4);
  private kept: Kept | undefined;

  constructor(private readonly later: Later) {
    super();
    this.addChild("layer", this.layer);
    this.addParameter("p", new Parameter([4], () => new Float32Array(4)));
  }

  forward(context: Context, x: Variable): Variable {
    const output = this.layer.forward(context.child("layer"), x);
    if (this.kept) return this.later(this.kept, { context, x, output }, this.layer);
    this.kept = { context, input: x, parameter: context.parameter("p"), output };
    return output;
  }
}

const uses: Record<string, Later> = {
  "returns the output of the first call": ({ output }) => output,
  "returns its input": ({ input }) => input,
  "reshapes its output": ({ output }, { context }) => ops.reshape(context, output, [output.shape[0], B, 1, 4]),
  "adds its parameter": ({ parameter }, { context, output }) => ops.add(context, output, parameter),
  "joins both outputs": (kept, { context, output }) => ops.concat(context, [output, kept.output], 0),
  "takes a part of it": ({ output }, { context }) => ops.slice(context, output, 0, 0, 1),
  "multiplies by its parameter": ({ parameter }, { context, output }) =>
    ops.matmul(context, output, ops.reshape(context, parameter, [4, 1])),
  "looks rows up in it": ({ output }, { context }) =>
    ops.embedding(
      context,
      ops.constant(context, { shape: [1], data: Uint32Array.of(0) }),
      ops.reshape(context, output, [output.shape[0] * B, 4]),
    ),
  "gives its input to a layer": ({ input }, { context }, layer) => layer.forward(context.child("layer"), input),
  "records in the first call's context": ({ context }, { x }, layer) => layer.forward(context.child("layer"), x),
  "records there what it keeps": ({ context, input }, _, layer) => layer.forward(context.child("layer"), input),
  "makes a constant there": (kept, { context, output }) =>
    ops.add(context, output, ops.constant(kept.context, { shape: [1], data: Float32Array.of(1) })),
  "hands the first output out": (kept, { context, output }) => {
    context.emit("kept", kept.output);
    return output;
  },
  "hands it on as a state": (kept, { context, output }) => {
    context.finalState("kept", [1, 4], [kept.parameter]);
    return output;
  },
};

describe.each(kinds)("on %s, a module that in a later forward", (kind) => {
  it.each(Object.entries(uses))("%s is told so", async (_, later) => {
    const on = await backend(kind);
    const model = new Keeping(later);
    const cotangents = { output: { shape: [2, B, 4], data: new Float32Array(2 * B * 4) } };
    const first = await forward(model, input(2), { backend: on });
    const problem = { name: "RnnError", kind: "option", message: /another forward pass|forward pass that is over/ };
    // Other lengths, another mode, nothing but a plan: each records anew.
    for (const call of [
      () => forward(model, input(2), { backend: on, training: true }),
      () => gradients(model, input(2), cotangents, { backend: on }),
      async () => plannedMemory(model, input(2), { backend: on, gradients: true }),
      async () => forward(model, input(2), { backend: await backend("cpu", "float64") }),
    ])
      await expect(call()).rejects.toMatchObject({ ...problem, message: expect.stringMatching(problem.message) as unknown });
    // What was recorded first is as it was.
    expect(await forward(model, input(2), { backend: on })).toEqual(first);
  });
});

class Broken extends Module {
  readonly parameter = new Parameter([3], () => new Float32Array(3));
  readonly layer = new Linear(3, 3);
  constructor(readonly run: (module: Broken, context: Context, x: Variable) => unknown) {
    super();
  }
  forward(context: Context, x: Variable): Variable {
    return this.run(this, context, x) as Variable;
  }
}

const wrong: [string, Broken["run"], string][] = [
  ["uses a parameter as a variable", ({ parameter }, context, x) => ops.add(context, x, parameter as never), "context.parameter(name)"],
  ["returns a parameter", ({ parameter }) => parameter, "context.parameter(name)"],
  ["gives a layer a parameter", ({ layer, parameter }, context) => layer.forward(context, parameter as never), "context.parameter(name)"],
  ["asks for a parameter that it has not added", (_, context) => context.parameter("parameter"), "addParameter"],
  ["calls a layer that it has not added", ({ layer }, context, x) => layer.forward(context.child("layer"), x), "addChild"],
  ["returns nothing", () => undefined, "must give a Variable, got undefined"],
  ["returns a promise", (_, _context, x) => Promise.resolve(x), "must give a Variable, got a Promise"],
];
it.each(wrong)("a module that %s is told what to do", async (_, run, message) => {
  const on = await backend("cpu");
  await expect(forward(new Broken(run), input(2), { backend: on })).rejects.toMatchObject({
    name: "RnnError",
    kind: "option",
    message: expect.stringContaining(message) as unknown,
  });
});
