/** The worked example of docs/equations.md, "BPTT in numbers": the same numbers by hand, in loops and by the library. */
import { describe, expect, it } from "vitest";
import { forward, gradients, Linear, RNN, Sequential, tensor } from "webgpu-rnn";
import { backend, expectClose, kinds } from "./support.ts";

const [x, y] = [
  [1, 0.5, -1],
  [0.5, 0.25, 0],
];
const [U, W, V, s0] = [0.5, 0.8, 1.2, 0.2];

describe.each(kinds)("BPTT in numbers on %s", (kind) => {
  it("gives ∂E/∂V, ∂E/∂W, ∂E/∂U and ∂E/∂s_0 as the table has them", async () => {
    const model = new Sequential({ rnn: new RNN(1, 1, { bias: false }), out: new Linear(1, 1, { bias: false }) });
    model.loadStateDict({ "rnn.weight_ih_l0": tensor([[U]]), "rnn.weight_hh_l0": tensor([[W]]), "out.weight": tensor([[V]]) });
    const inputs = { input: tensor(x.map((value) => [[value]])), state: { "rnn.h": tensor([[[s0]]]) } };
    const on = await backend(kind);
    const { output } = await forward(model, inputs, { backend: on });
    expect(Array.from(output.data, (value) => value.toFixed(4))).toEqual(["0.6940", "0.7348", "-0.0121"]);
    const {
      gradients: { parameters, state },
    } = await gradients(model, inputs, { output: tensor(y.map((target, t) => [[output.data[t] - target]])) }, { backend: on });
    const found = [parameters["out.weight"], parameters["rnn.weight_hh_l0"], parameters["rnn.weight_ih_l0"], state["rnn.h"]].map(
      ({ data: [value] }) => value,
    );
    expect(found.map((value) => value.toFixed(4))).toEqual(["0.4092", "0.2661", "0.5374", "0.2757"]);

    // The sums over the steps, as they are written.
    const s = [s0];
    for (const value of x) s.push(Math.tanh(U * value + W * s[s.length - 1]));
    const delta = [0, 0, 0, 0];
    for (let t = 2; t >= 0; t--) delta[t] = (V * (V * s[t + 1] - y[t]) + W * delta[t + 1]) * (1 - s[t + 1] ** 2);
    const sum = (term: (t: number) => number): number => term(0) + term(1) + term(2);
    expectClose("gradients", found, [
      sum((t) => (V * s[t + 1] - y[t]) * s[t + 1]),
      sum((t) => delta[t] * s[t]),
      sum((t) => delta[t] * x[t]),
      W * delta[0],
    ]);
  });
});
