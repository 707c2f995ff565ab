/** The word in the metadata of a safetensors file that says: this file describes a model. */
export const modelFormat = "webgpu-rnn model 1";

export const describesModel = (metadata: Readonly<Record<string, string>>): boolean => metadata.format === modelFormat;
