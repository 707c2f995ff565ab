/** webgpu-rnn/formats: models and weights of other programs, and weights in other layouts. */
export { exportOnnx, type ExportOptions } from "./formats/export-onnx.ts";
export { importModel, readTensors } from "./formats/import-model.ts";
export type { FileBytes, FormatName, ImportedModel, ImportedNode, ImportedValue, ImportOptions, ModelFiles } from "./formats/imported.ts";
export { decodeSafetensors, encodeSafetensors, type TensorFile } from "./io/safetensors.ts";
export { stackWeights, unstackWeights, type StackedCell } from "./io/stacked-weights.ts";
