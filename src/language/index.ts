/** What webgpu-rnn/full has for sentences: batches of them, their probability, encoders and decoders with attention. */
export { Attention, type AttentionMemory, type Score } from "./attention.ts";
export { beamSearch, type BeamSearchOptions, type Hypothesis } from "./beam-search.ts";
export { Decoder, type DecoderOptions } from "./decoder.ts";
export { logProbability, type RowProbabilities } from "./log-probability.ts";
export { PairData, sentenceBatch, SentenceData, type Sentence } from "./sentences.ts";
export { Seq2Seq, type Seq2SeqOptions } from "./seq2seq.ts";
