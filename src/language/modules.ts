/** The modules of webgpu-rnn/language, for files that have them. */
export { Attention } from "./attention.ts";
export { Decoder } from "./decoder.ts";
export { Seq2Seq } from "./seq2seq.ts";
