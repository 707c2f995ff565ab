/** Small models that between them use every WGSL file that a model can use. */
import {
  binaryCrossEntropy,
  Conv1d,
  crossEntropy,
  Dropout,
  Embedding,
  GRU,
  Linear,
  LogSoftmax,
  LSTM,
  MinGRU,
  MinLSTM,
  SLSTM,
  ReLU,
  rmsprop,
  RNN,
  Sequential,
  sgd,
  Sigmoid,
  Softmax,
  Tanh,
  type Module,
  type Tensor,
  type VerifyOptions,
} from "webgpu-rnn";
import { Decoder, Seq2Seq } from "webgpu-rnn/language";
import { Masked } from "./masked-model.ts";
import { Operators } from "./operators-model.ts";
import { numbers } from "./support.ts";

export interface Subject {
  readonly model: () => Module;
  readonly inputs: { readonly input: Tensor; readonly lengths?: readonly number[]; readonly further?: Readonly<Record<string, Tensor>> };
  readonly options?: Omit<VerifyOptions, "backend">;
  /** True if the device's profile says that threads should share a long K. */
  readonly splits?: boolean;
  /** True if the device should be taken for a GPU, and given the kernels of one. */
  readonly isGpu?: boolean;
}

const floats = (...shape: number[]): Tensor => ({
  shape,
  data: numbers(
    shape.reduce((a, b) => a * b),
    3,
  ),
});
const ids = (T: number, B: number, most: number): Tensor => ({
  shape: [T, B],
  data: Uint32Array.from({ length: T * B }, (_, i) => (i * 5 + 2) % most),
});
/** Every fifth step is zeros. */
const withGaps = ({ shape, data }: Tensor): Tensor => ({ shape, data: data.map((x, i) => (Math.floor(i / shape[2]) % 5 === 3 ? 0 : x)) });
const sequence = { input: floats(3, 2, 3) };
const rows = { input: floats(2, 5) };
const linear = (): Linear => new Linear(5, 4, { seed: 1 });
const steps = { strategy: "step" } as const;

const sequenceToSequence = (): Seq2Seq =>
  new Seq2Seq({
    encoder: new Sequential([new Embedding(6, 3), new RNN(3, 4)]),
    decoder: new Decoder({ vocabulary: 5, memorySize: 4, rnn: new RNN(3, 4) }),
    scheduledSampling: () => 0.5,
    seed: 2,
  });

const table = {
  characters: {
    model: () => new Sequential([new Embedding(9, 3), new LSTM(3, 4), new Linear(4, 9)], { seed: 1 }),
    inputs: { input: ids(3, 2, 9) },
  },
  embedding: { model: () => new Sequential([new Embedding(9, 3), new Linear(3, 9)], { seed: 1 }), inputs: { input: ids(3, 2, 9) } },
  lstm: { model: () => new LSTM(3, 4, { seed: 1 }), inputs: sequence },
  lstmSteps: { model: () => new LSTM(3, 4, { seed: 1 }), inputs: sequence, options: steps },
  coupled: {
    model: () => new LSTM(3, 4, { seed: 1, forgetGate: "coupled", outputActivation: "identity" }),
    inputs: sequence,
    options: steps,
  },
  chosen: {
    model: () =>
      new LSTM(3, 4, { seed: 1, activations: { gates: { name: "HardSigmoid", alpha: 2 }, candidate: "Elu", output: "Elu" }, clip: 0.4 }),
    inputs: sequence,
    options: steps,
  },
  clipped: { model: () => new RNN(3, 4, { seed: 1, activations: { candidate: "Elu" }, clip: 0.15 }), inputs: sequence, options: steps },
  slstm: { model: () => new SLSTM(3, 4, { seed: 1 }), inputs: sequence, options: steps },
  // Units beyond what a thread reads at once, beyond what threads keep, in several rows of a workgroup, and beyond what a step brings into workgroup memory at once.
  gpuLoop: { model: () => new LSTM(3, 21, { seed: 1 }), inputs: { input: floats(3, 4, 3) }, isGpu: true },
  gpuHalves: {
    model: () => new LSTM(3, 70, { seed: 1 }),
    inputs: { input: floats(3, 2, 3) },
    options: { strategy: "loop", storage: "float16" },
    isGpu: true,
  },
  gpuWideLoop: { model: () => new LSTM(3, 71, { seed: 1 }), inputs: { input: floats(2, 3, 3) }, isGpu: true },
  gpuGru: { model: () => new GRU(3, 9, { seed: 1 }), inputs: { input: floats(2, 3, 3) }, isGpu: true },
  gpuReset: { model: () => new GRU(3, 9, { seed: 1, reset: "before" }), inputs: { input: floats(3, 3, 3) }, isGpu: true },
  gpuResetSteps: {
    model: () => new GRU(3, 9, { seed: 1, reset: "before" }),
    inputs: { input: floats(3, 5, 3) },
    options: steps,
    isGpu: true,
  },
  gpuRows: { model: () => new LSTM(3, 21, { seed: 1 }), inputs: { input: floats(3, 34, 3) }, isGpu: true },
  gpuNorms: {
    model: () => new LSTM(3, 21, { seed: 1, normalization: "layer", zoneout: 0.3 }),
    inputs: { input: floats(3, 2, 3) },
    isGpu: true,
  },
  gpuManyRows: { model: () => new LSTM(3, 256, { seed: 1 }), inputs: { input: floats(2, 32, 3) }, options: steps, isGpu: true },
  gpuSteps: { model: () => new LSTM(3, 135, { seed: 1 }), inputs: { input: floats(3, 4, 3) }, options: steps, isGpu: true },
  heads: { model: () => new SLSTM(3, 6, { seed: 1, heads: 3 }), inputs: sequence, options: steps },
  peepholes: { model: () => new LSTM(3, 4, { seed: 1, peepholes: true }), inputs: sequence, options: steps },
  wavefront: { model: () => new LSTM(3, 4, { seed: 1, numLayers: 2 }), inputs: sequence, options: { strategy: "wavefront" } },
  gru: { model: () => new GRU(3, 4, { seed: 1 }), inputs: sequence, options: steps },
  writing: { model: () => new GRU(3, 4, { seed: 1, reset: "none", updateGate: "writes" }), inputs: sequence, options: steps },
  rnn: { model: () => new RNN(3, 4, { seed: 1 }), inputs: sequence, options: steps },
  relu: { model: () => new RNN(3, 4, { seed: 1, nonlinearity: "relu" }), inputs: sequence, options: steps },
  reset: { model: () => new GRU(3, 4, { seed: 1, reset: "before" }), inputs: sequence },
  resetSteps: { model: () => new GRU(3, 4, { seed: 1, reset: "before" }), inputs: sequence, options: steps },
  masked: { model: () => new Masked(), inputs: { input: withGaps(floats(2, 35, 3)) }, options: steps },
  lengths: { model: () => new RNN(3, 4, { seed: 1 }), inputs: { ...sequence, lengths: [3, 2] }, options: steps },
  causal: {
    model: () => new Conv1d(3, 4, 3, { layout: "channelsLast", padding: "causal", seed: 1 }),
    inputs: { input: floats(2, 4, 3), lengths: [4, 2] },
  },
  // More steps than a scan has parts, and more columns than a workgroup.
  minGru: { model: () => new MinGRU(3, 5, { seed: 1, bidirectional: true }), inputs: { input: floats(40, 2, 3), lengths: [40, 7] } },
  minGruSteps: { model: () => new MinGRU(3, 5, { seed: 1 }), inputs: sequence, options: steps },
  minLstm: { model: () => new MinLSTM(3, 5, { seed: 1, bidirectional: true }), inputs: { input: floats(40, 2, 3), lengths: [40, 7] } },
  layerNorm: { model: () => new LSTM(3, 4, { seed: 1, normalization: "layer", zoneout: 0.3, recurrentDropout: 0.3 }), inputs: sequence },
  batchNorm: { model: () => new GRU(3, 4, { seed: 1, normalization: "batch", normalizedSteps: 2 }), inputs: sequence },
  halves: { model: () => new LSTM(3, 4, { seed: 1 }), inputs: sequence, options: { strategy: "step", storage: "float16" } },
  parts: {
    model: () =>
      new Sequential([linear(), new Tanh(), new Dropout(0.4), new Linear(4, 4), new Sigmoid(), new ReLU(), new Softmax()], { seed: 1 }),
    inputs: rows,
  },
  logSoftmax: { model: () => new Sequential([linear(), new LogSoftmax()], { seed: 1 }), inputs: rows },
  sentences: {
    model: sequenceToSequence,
    inputs: { input: ids(3, 2, 6), lengths: [3, 2], further: { target: ids(2, 2, 5) } },
    options: steps,
  },
  operators: { model: () => new Operators(), inputs: rows },
  linear: { model: linear, inputs: rows },
  classes: { model: linear, inputs: rows, options: { loss: crossEntropy() } },
  yesNo: { model: linear, inputs: rows, options: { loss: binaryCrossEntropy(), optimizer: sgd({ momentum: 0.9 }) } },
  rootMean: { model: linear, inputs: rows, options: { optimizer: rmsprop({ momentum: 0.5, centered: true }) } },
  wide: { model: () => new Linear(512, 260, { seed: 1 }), inputs: { input: floats(2, 512) } },
  large: { model: () => new Linear(8, 260, { seed: 1 }), inputs: { input: floats(1030, 8) } },
  staged: { model: () => new Linear(36, 16_388, { seed: 1 }), inputs: { input: floats(32, 36) }, isGpu: true },
  square: { model: () => new Linear(260, 260, { seed: 1 }), inputs: { input: floats(4, 260) } },
  split: { model: () => new Linear(8, 8, { seed: 1 }), inputs: { input: floats(300, 8) }, splits: true },
} as const satisfies Record<string, Subject>;

export type SubjectName = keyof typeof table;
export const subjects: Readonly<Record<SubjectName, Subject>> = table;
