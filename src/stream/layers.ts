/** The modules of a file that `webgpu-rnn/stream` knows: those that can go step by step. */
import { LogSoftmax, ReLU, Sigmoid, Softmax, Tanh } from "../nn/activation.ts";
import { Dropout } from "../nn/dropout.ts";
import { Embedding } from "../nn/embedding.ts";
import { Linear } from "../nn/linear.ts";
import { Residual } from "../nn/residual.ts";
import { Sequential } from "../nn/sequential.ts";
import { GRU } from "../recurrent/layer/gru.ts";
import { LastStep } from "../recurrent/layer/last-step.ts";
import { LSTM } from "../recurrent/layer/lstm.ts";
import { RNN } from "../recurrent/layer/rnn.ts";
import type { ModuleClass } from "../saving/model-file.ts";

export const layers: Readonly<Record<string, ModuleClass>> = {
  Dropout,
  Embedding,
  GRU,
  LastStep,
  Linear,
  LogSoftmax,
  LSTM,
  ReLU,
  Residual,
  RNN,
  Sequential,
  Sigmoid,
  Softmax,
  Tanh,
};
