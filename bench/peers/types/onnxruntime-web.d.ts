interface Value {
  getData(): Promise<Float32Array>;
  dispose(): void;
}
export interface Session {
  run(feeds: { x: Tensor }): Promise<{ y: Value }>;
  release(): Promise<void>;
}
export declare class Tensor {
  constructor(type: "float32", data: Float32Array, dims: number[]);
}
export declare const InferenceSession: { create(model: Uint8Array, options: { executionProviders: string[] }): Promise<Session> };
export declare const env: { wasm: { wasmPaths: string; numThreads: number }; logLevel: string; versions: { web: string } };
