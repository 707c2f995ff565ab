/**
 * DTLN (Westhausen and Meyer 2020) removes noise from speech at 16 kHz: one core weights the frequencies of a frame, another
 * one what a learnt transform finds in the result. The weights come from the authors' `model.h5`, which has no layers that
 * could be read: what lies between the cores is Python code in it.
 */
import { LayerNorm, Linear, LSTM, Module, type Context, type Tensor, type Variable } from "webgpu-rnn";
import { importModel } from "webgpu-rnn/formats";
import { add, multiply, reshape, sigmoid, slice, sqrt } from "webgpu-rnn/ops";

/** Samples of a frame, and from one frame to the next. */
export const dtlnFrame = 512;
export const dtlnHop = 128;
const frequencies = dtlnFrame / 2 + 1;
const units = 128;
/** Size of the learnt transform. */
const encoded = 256;

/** cos and -sin of a frequency at a sample: rows of the real and of the imaginary parts. */
function wave(row: number, sample: number): number {
  const angle = (2 * Math.PI * (((row % frequencies) * sample) % dtlnFrame)) / dtlnFrame;
  return row < frequencies ? Math.cos(angle) : -Math.sin(angle);
}
/** A real signal has each frequency twice, but for the lowest and the highest. */
const share = (row: number): number => ((row % frequencies) % (frequencies - 1) === 0 ? 1 : 2) / dtlnFrame;

/** The Fourier transform of a frame and its inverse, as the weights of linear layers: a saved stream holds those as numbers. */
function transforms(): Record<string, Tensor> {
  const rows = 2 * frequencies;
  const of = (outputs: number, inputs: number, value: (output: number, input: number) => number): Tensor => ({
    shape: [outputs, inputs],
    data: Float32Array.from({ length: outputs * inputs }, (_, i) => value(Math.floor(i / inputs), i % inputs)),
  });
  return {
    "spectrum.weight": of(rows, dtlnFrame, wave),
    "samples.weight": of(dtlnFrame, rows, (sample, row) => share(row) * wave(row, sample)),
  };
}

const lstm = (size: number): LSTM => new LSTM(size, units, { bias: "input", seed: 0 });

/** Input and output [steps, batch, 512]: frames of samples, which the caller cuts and adds up. Parts have the file's names. */
export class Dtln extends Module {
  private readonly parts = {
    spectrum: new Linear(dtlnFrame, 2 * frequencies, { bias: false, seed: 0 }),
    samples: new Linear(2 * frequencies, dtlnFrame, { bias: false, seed: 0 }),
    lstm: lstm(frequencies),
    lstm_1: lstm(units),
    dense: new Linear(units, frequencies, { seed: 0 }),
    conv1d: new Linear(dtlnFrame, encoded, { bias: false, seed: 0 }),
    layer_normalization: new LayerNorm(encoded, { eps: 1e-7 }),
    lstm_2: lstm(encoded),
    lstm_3: lstm(units),
    dense_1: new Linear(units, encoded, { seed: 0 }),
    conv1d_1: new Linear(encoded, dtlnFrame, { bias: false, seed: 0 }),
  };

  constructor() {
    super();
    for (const [name, part] of Object.entries(this.parts)) this.addChild(name, part);
    for (const fixed of ["spectrum", "samples"]) this.freeze(fixed);
  }

  override get inputFeatures(): number {
    return dtlnFrame;
  }

  override describe(): readonly unknown[] {
    return [];
  }

  forward(context: Context, input: Variable): Variable {
    const run = (x: Variable, ...names: (keyof typeof this.parts)[]): Variable =>
      names.reduce((y, name) => this.parts[name].forward(context.child(name), y), x);
    const [steps, batch] = input.shape;
    const rows = steps * batch;
    const spectrum = reshape(context, run(input, "spectrum"), [rows, 2, frequencies]);
    const squares = multiply(context, spectrum, spectrum);
    const [real, imaginary] = [0, 1].map((part) => slice(context, squares, 1, part, part + 1));
    const magnitude = reshape(context, sqrt(context, add(context, real, imaginary)), [steps, batch, frequencies]);
    const factors = sigmoid(context, run(magnitude, "lstm", "lstm_1", "dense"));
    const kept = multiply(context, spectrum, reshape(context, factors, [rows, 1, frequencies]));
    const features = run(reshape(context, kept, [steps, batch, 2 * frequencies]), "samples", "conv1d");
    const learnt = sigmoid(context, run(features, "layer_normalization", "lstm_2", "lstm_3", "dense_1"));
    return run(multiply(context, features, learnt), "conv1d_1");
  }
}

/** The layers of `model.h5` that have weights, each behind the one above it or behind an input. */
const layers: readonly (readonly [kind: string, name: string, config: object])[] = [
  ["InputLayer", "magnitude", { batch_input_shape: [null, null, frequencies] }],
  ["LSTM", "lstm", { units }],
  ["LSTM", "lstm_1", { units }],
  ["Dense", "dense", { units: frequencies }],
  ["InputLayer", "samples", { batch_input_shape: [null, null, dtlnFrame] }],
  ["Conv1D", "conv1d", { filters: encoded, kernel_size: [1], use_bias: false }],
  ["LayerNormalization", "layer_normalization", {}],
  ["LSTM", "lstm_2", { units }],
  ["LSTM", "lstm_3", { units }],
  ["Dense", "dense_1", { units: encoded }],
  ["Conv1D", "conv1d_1", { filters: dtlnFrame, kernel_size: [1], use_bias: false }],
];

const description = {
  class_name: "Functional",
  config: {
    name: "dtln",
    layers: layers.map(([kind, name, config], i) => ({
      class_name: kind,
      name,
      config: { name, return_sequences: true, recurrent_activation: "sigmoid", ...config },
      inbound_nodes: kind === "InputLayer" ? [] : [[[layers[i - 1][1], 0, 0, {}]]],
    })),
    input_layers: [
      ["magnitude", 0, 0],
      ["samples", 0, 0],
    ],
    output_layers: [
      ["dense", 0, 0],
      ["conv1d_1", 0, 0],
    ],
  },
};

/** The model in the authors' `model.h5`. @throws RnnError `format` if the file has other layers */
export async function readDtln(file: Uint8Array<ArrayBuffer>): Promise<Dtln> {
  const { model } = await importModel({ "config.json": new TextEncoder().encode(JSON.stringify(description)), "model.h5": file });
  // A convolution over one step is a linear layer.
  const flat = ([name, { shape, data }]: readonly [string, Tensor]): [string, Tensor] => [
    name,
    { shape: shape.length === 3 ? shape.slice(0, 2) : shape, data },
  ];
  const dtln = new Dtln();
  dtln.loadStateDict({ ...transforms(), ...Object.fromEntries(Object.entries(await model.stateDict()).map(flat)) });
  return dtln;
}
