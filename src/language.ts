/** webgpu-rnn/language: sentences. Batches of them, their probability, encoders and decoders with attention. */
export { Attention, type AttentionMemory, type Score } from "./language/attention.ts";
export { beamSearch, type BeamSearchOptions, type Hypothesis } from "./language/beam-search.ts";
export { Decoder, type DecoderOptions } from "./language/decoder.ts";
export { logProbability, type RowProbabilities } from "./language/log-probability.ts";
export { PairData, sentenceBatch, SentenceData, type Sentence } from "./language/sentences.ts";
export { Seq2Seq, type Seq2SeqOptions } from "./language/seq2seq.ts";
