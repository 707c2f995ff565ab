/** webgpu-rnn: recurrent networks on the user's own GPU, through WebGPU, with a CPU backend that verifies it. */
export type { Backend } from "./backend/backend.ts";
export { createBackend, type BackendOptions } from "./backend/create-backend.ts";
export type { Batch, BatchLike, TrainingData } from "./data/batch.ts";
export { TextData } from "./data/text-data.ts";
export { Vocabulary } from "./data/vocabulary.ts";
export { RnnError, type ErrorKind } from "./errors.ts";
export { decodeSafetensors, encodeSafetensors, type TensorFile } from "./io/safetensors.ts";
export { loadModel, saveModel, type ModelNames, type SaveOptions } from "./saving/models.ts";
export { generate, generateTokens, type SamplingOptions } from "./generate/generate.ts";
export { crossEntropy } from "./losses/cross-entropy.ts";
export { binaryCrossEntropy, squaredError } from "./losses/element-losses.ts";
export type { Loss } from "./losses/loss.ts";
export type { DeviceProfile } from "./kernels/device-profile.ts";
export type { SelfTest } from "./kernels/self-test.ts";
export { normal, orthogonal, uniform, type Draw, type Initializer } from "./nn/initializers.ts";
export type { Context } from "./nn/context.ts";
export { LogSoftmax, ReLU, Sigmoid, Softmax, Tanh } from "./nn/activation.ts";
export { Conv1d } from "./nn/conv1d.ts";
export { Dropout } from "./nn/dropout.ts";
export { Embedding } from "./nn/embedding.ts";
export { Linear } from "./nn/linear.ts";
export { BatchNorm1d, LayerNorm } from "./nn/normalization.ts";
export { AvgPool1d, MaxPool1d } from "./nn/pooling.ts";
export { Residual } from "./nn/residual.ts";
export { Module, type LoadResult, type StateDict } from "./nn/module.ts";
export { Parameter } from "./nn/parameter.ts";
export type { Merge } from "./nn/merge.ts";
export type { GateActivation, GateActivations, GateOptions } from "./recurrent/layer/activations.ts";
export { GRU } from "./recurrent/layer/gru.ts";
export { LSTM } from "./recurrent/layer/lstm.ts";
export { RNN } from "./recurrent/layer/rnn.ts";
export { SLSTM } from "./recurrent/layer/slstm.ts";
export { MinGRU, MinLSTM, type MinimalLayerOptions } from "./recurrent/layer/minimal.ts";
export { CustomRNN, defineCell, type CustomCell } from "./recurrent/layer/custom-cell.ts";
export { LastStep } from "./recurrent/layer/last-step.ts";
export type { RecurrentLayerOptions } from "./recurrent/layer/layer-options.ts";
export type { RegularizationOptions } from "./recurrent/layer/regularizer.ts";
export { compose, Sequential } from "./nn/sequential.ts";
export { adam, adamw, nadam, rmsprop, sgd, type Optimizer } from "./optim/optimizer.ts";
export { constant, cosine, stepDecay, type Schedule } from "./optim/schedules.ts";
export type { Variable } from "./autodiff/tape.ts";
export type { StrategyChoice } from "./recurrent/explain.ts";
export { createStream, type StreamOptions } from "./stream/create-stream.ts";
export { saveStream, type SaveStreamOptions } from "./stream/save-stream.ts";
export { createBatcher, type BatcherOptions } from "./stream/create-batcher.ts";
export type { Batcher } from "./stream/batcher.ts";
export type { Stream } from "./stream/cpu-stream.ts";
export type { DeviceStream } from "./stream/device-stream.ts";
export type { DeviceState } from "./stream/device-state.ts";
export type { StreamState } from "./stream/stream-state.ts";
export { chooseStrategy, explainStrategy } from "./recurrent/explain.ts";
export type { StrategyName } from "./recurrent/strategies/all-strategies.ts";
export type { LayerShape } from "./recurrent/strategies/strategy.ts";
export { calibrate } from "./session/calibrate.ts";
export type { MemoryUse } from "./session/memory.ts";
export type { LayerOptions, ModelInputs } from "./session/plan.ts";
export {
  forward,
  gradients,
  plannedMemory,
  type Cotangents,
  type ForwardOptions,
  type ModelGradients,
  type RunOptions,
} from "./session/run.ts";
export type { ModelOutputs, ResultArrays } from "./session/results.ts";
export type { Shape } from "./tensor/shape.ts";
export { tensor, type NestedNumbers, type Numbers, type TensorLike } from "./tensor/take.ts";
export type { FloatArray, NumericArray, Tensor } from "./tensor/tensor.ts";
export type { Evaluation } from "./train/evaluate.ts";
export type { Recovered, RecoveryOptions } from "./train/recovery.ts";
export { Trainer } from "./train/trainer.ts";
export type { Progress, Summary, TrainerOptions, TrainOptions } from "./train/trainer-options.ts";
export { verify, type Finding, type Report, type VerifyOptions } from "./verify/verify.ts";
