/**
 * webgpu-rnn/stream: a frame in, a frame out, in one module without import(), for AudioWorklets, workers and servers. It
 * shares no classes with the other entries: its models come from `loadModel`.
 */
export { RnnError, type ErrorKind } from "./errors.ts";
export type { Module } from "./nn/module.ts";
export { compile, createStream, loadModel, type StreamOptions } from "./stream/alone.ts";
export type { Stream } from "./stream/cpu-stream.ts";
export type { StreamState } from "./stream/stream-state.ts";
