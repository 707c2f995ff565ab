/**
 * The classes of modules, by the names that files have for them. Only what calls `saveModel` or `loadModel` may load this
 * file, and not by import(): then esbuild would load every module that index.js names at the start of every page.
 */
import { Attention } from "../language/attention.ts";
import { Decoder } from "../language/decoder.ts";
import { Seq2Seq } from "../language/seq2seq.ts";
import { LogSoftmax, ReLU, Sigmoid, Softmax, Tanh } from "../nn/activation.ts";
import { Conv1d } from "../nn/conv1d.ts";
import { Dropout } from "../nn/dropout.ts";
import { Embedding } from "../nn/embedding.ts";
import { Linear } from "../nn/linear.ts";
import { BatchNorm1d, LayerNorm } from "../nn/normalization.ts";
import { AvgPool1d, MaxPool1d } from "../nn/pooling.ts";
import { Residual } from "../nn/residual.ts";
import { Sequential } from "../nn/sequential.ts";
import { CustomRNN } from "../recurrent/layer/custom-cell.ts";
import { GRU } from "../recurrent/layer/gru.ts";
import { LastStep } from "../recurrent/layer/last-step.ts";
import { LSTM } from "../recurrent/layer/lstm.ts";
import { MinGRU, MinLSTM } from "../recurrent/layer/minimal.ts";
import { RNN } from "../recurrent/layer/rnn.ts";
import { SLSTM } from "../recurrent/layer/slstm.ts";
import type { ModuleClass } from "./model-file.ts";

export const layers: Readonly<Record<string, ModuleClass>> = {
  Attention,
  AvgPool1d,
  BatchNorm1d,
  Conv1d,
  CustomRNN,
  Decoder,
  Dropout,
  Embedding,
  GRU,
  LastStep,
  LayerNorm,
  Linear,
  LogSoftmax,
  LSTM,
  MaxPool1d,
  MinGRU,
  MinLSTM,
  ReLU,
  Residual,
  RNN,
  Seq2Seq,
  Sequential,
  Sigmoid,
  SLSTM,
  Softmax,
  Tanh,
};
