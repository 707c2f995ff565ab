/** webgpu-rnn: recurrent networks on the user's own GPU, through WebGPU, with a CPU backend that verifies it. */
export type { Backend } from "./backend/backend.ts";
export { createBackend, type BackendOptions } from "./backend/create-backend.ts";
export { RnnError, type ErrorKind } from "./errors.ts";
export { binaryCrossEntropy, crossEntropy, squaredError, type Loss } from "./losses/loss.ts";
export { Dropout } from "./nn/dropout.ts";
export { Embedding } from "./nn/embedding.ts";
export { Linear } from "./nn/linear.ts";
export { Module, type StateDict } from "./nn/module.ts";
export { GRU, LSTM, RNN, type RecurrentLayerOptions } from "./nn/recurrent.ts";
export { compose, Sequential } from "./nn/sequential.ts";
export { adam, adamw, rmsprop, sgd, type Optimizer } from "./optim/optimizer.ts";
export { constant, cosine, stepDecay, type Schedule } from "./optim/schedules.ts";
export { forward, gradients, type Cotangents, type ModelGradients, type ModelInputs, type ModelOutputs } from "./session/session.ts";
export { tensor, type Tensor } from "./tensor/tensor.ts";
