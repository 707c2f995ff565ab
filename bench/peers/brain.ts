/**
 * brain.js: its LSTM and GRU for time steps, one sequence after the other, since it has no batches. The layer is read
 * through an output layer that is the identity, which brain.js multiplies by all the same. Its own update is a form of
 * RMSprop; here the gradients it leaves in its matrices go into plain SGD, as everywhere.
 */
import GRUTimeStep from "brain.js/dist/recurrent/gru-time-step.js";
import LSTMTimeStep from "brain.js/dist/recurrent/lstm-time-step.js";
import type { Matrix, Network } from "brain.js/dist/recurrent/lstm-time-step.js";
import { gatesOf, type Case } from "../cases.ts";
import type { Library, Subject } from "../library.ts";
import type { Outcome, Problem } from "../problem.ts";
import { add, kerasTrainingNames } from "./layout.ts";

export const brainVersion = "1.6.1";

/** Names of its matrices by gate, in PyTorch's order: of the input, of the state, of the bias. */
const gateNames = {
  lstm: [
    ["inputMatrix", "inputHidden", "inputBias"],
    ["forgetMatrix", "forgetHidden", "forgetBias"],
    ["cellActivationMatrix", "cellActivationHidden", "cellActivationBias"],
    ["outputMatrix", "outputHidden", "outputBias"],
  ],
  "gru-reset-before": [
    ["resetGateInputMatrix", "resetGateHiddenMatrix", "resetGateBias"],
    ["updateGateInputMatrix", "updateGateHiddenMatrix", "updateGateBias"],
    ["cellWriteInputMatrix", "cellWriteHiddenMatrix", "cellWriteBias"],
  ],
} as const;

export function open(): Promise<Library[]> {
  return Promise.resolve([
    {
      name: "brain.js",
      backend: "cpu",
      adapter: "CPU, plain JavaScript",
      version: brainVersion,
      required: ({ mode }) => (mode === "training" ? kerasTrainingNames : ["output"]),
      modes: ["forward", "training"],
      refuses({ cell, steps, batch, input, hidden }) {
        if (cell === "rnn") return "its simple network has ReLU, not tanh";
        if (cell === "gru") return "its GRU resets before the product only; see gru-reset-before";
        if (steps * batch * hidden * (input + hidden) > 1e8) return "would take minutes a run";
        return undefined;
      },
      prepare: (of, problem) => Promise.resolve(prepare(of, problem)),
    },
  ]);
}

function prepare({ mode }: Case, problem: Problem): Subject {
  const { steps: T, batch: B, input: I, hidden: H, inputs, targets, learningRate } = problem;
  const cell = problem.cell as keyof typeof gateNames;
  const network = makeNetwork(problem);
  const {
    equations,
    hiddenLayers: [layer],
  } = network.model;
  const parts = gateNames[cell].map((names) => names.map((name) => layer[name]));
  const gradients = [I, H, 1].map((width) => new Float32Array(gatesOf(cell) * H * width));
  const row = (data: Float32Array, t: number, b: number, width: number): Float32Array =>
    data.subarray((t * B + b) * width, (t * B + b + 1) * width);

  const forward = (): Float32Array => {
    const output = new Float32Array(T * B * H);
    for (let b = 0; b < B; b++) {
      for (let t = 0; t < T; t++) row(output, t, b, H).set(equations[t].runInput(row(inputs, t, b, I)).weights);
    }
    return output;
  };
  const differentiate = (): void => {
    for (const sum of gradients) sum.fill(0);
    for (let b = 0; b < B; b++) {
      for (let t = 0; t < T; t++) equations[t].predictTarget(row(inputs, t, b, I), row(targets, t, b, H));
      for (let t = T - 1; t >= 0; t--) equations[t].backpropagate();
      parts.forEach((matrices, gate) =>
        matrices.forEach(({ deltas }, which) => {
          const start = gate * deltas.length;
          // Its loss is half the sum of squares, of one sequence.
          for (let i = 0; i < deltas.length; i++) gradients[which][start + i] += (2 / targets.length) * deltas[i];
        }),
      );
    }
  };
  const step = (): void => {
    differentiate();
    parts.forEach((matrices, gate) =>
      matrices.forEach(({ weights }, which) => {
        for (let i = 0; i < weights.length; i++) weights[i] -= learningRate * gradients[which][gate * weights.length + i];
      }),
    );
  };
  return {
    check() {
      const outcome: Outcome = { output: forward() };
      if (mode === "forward") return Promise.resolve(outcome);
      step();
      ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0"].forEach((name, i) => void (outcome[`gradient ${name}`] = gradients[i].slice()));
      ["weight_ih_l0", "weight_hh_l0"].forEach((name, which) => {
        outcome[`updated ${name}`] = Float32Array.from(parts.flatMap((matrices) => [...matrices[which].weights]));
      });
      return Promise.resolve(outcome);
    },
    run(times) {
      for (let i = 0; i < times; i++) {
        if (mode === "forward") forward();
        else step();
      }
      return Promise.resolve();
    },
    free: () => undefined,
  };
}

/** A network whose output is its layer's, with our weights, unrolled for all steps. */
function makeNetwork({ cell, steps, input: I, hidden: H, weights }: Problem): Network {
  const { default: Kind } = cell === "lstm" ? LSTMTimeStep : GRUTimeStep;
  const network = new Kind({ inputSize: I, hiddenLayers: [H], outputSize: H });
  network.initialize();
  const { model } = network;
  const fill = (matrix: Matrix, values: ArrayLike<number>): void => {
    for (let i = 0; i < matrix.weights.length; i++) matrix.weights[i] = values[i];
  };
  const part = (data: Float32Array, gate: number, width: number): Float32Array => data.subarray(gate * H * width, (gate + 1) * H * width);
  const bias = add(weights.bias_ih_l0.data, weights.bias_hh_l0.data);
  gateNames[cell as keyof typeof gateNames].forEach(([matrix, state, constant], gate) => {
    const layer = model.hiddenLayers[0];
    fill(layer[matrix], part(weights.weight_ih_l0.data, gate, I));
    fill(layer[state], part(weights.weight_hh_l0.data, gate, H));
    fill(layer[constant], part(bias, gate, 1));
  });
  fill(
    model.outputConnector,
    Float32Array.from({ length: H * H }, (_, i) => (i % (H + 1) === 0 ? 1 : 0)),
  );
  fill(model.output, new Float32Array(H));
  while (model.equations.length < steps) network.bindEquation();
  return network;
}
