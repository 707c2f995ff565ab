interface Value {
  readonly data: Float32Array;
  readonly dims: readonly number[];
  getData(): Promise<Float32Array>;
  dispose(): void;
}
export interface Session {
  run(feeds: Readonly<Record<string, Tensor>>): Promise<Record<string, Value>>;
  release(): Promise<void>;
}
export declare class Tensor {
  constructor(type: "float32", data: Float32Array, dims: readonly number[]);
  constructor(type: "int64", data: BigInt64Array, dims: readonly number[]);
}
export declare const InferenceSession: { create(model: Uint8Array, options: { executionProviders: string[] }): Promise<Session> };
export declare const env: { wasm: { wasmPaths: string; numThreads: number }; logLevel: string; versions: { web: string } };
