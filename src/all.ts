/** Everything in one: webgpu-rnn/static, the single files, and what Node loads behind all entries. */
export * from "./index.ts";
export * from "./formats.ts";
export * from "./inspect.ts";
export * from "./language.ts";
export * as ops from "./ops.ts";
