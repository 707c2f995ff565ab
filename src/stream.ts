/**
 * webgpu-rnn/stream: a frame in, a frame out, in one module without import(), for AudioWorklets, workers and servers. It
 * plays files that `saveStream` of `webgpu-rnn` wrote, and has none of its layers.
 */
export { RnnError, type ErrorKind } from "./errors.ts";
export { compile, createStream, type StreamOptions } from "./stream/alone.ts";
export type { Stream } from "./stream/cpu-stream.ts";
export type { StreamState } from "./stream/stream-state.ts";
