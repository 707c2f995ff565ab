/** A value inside a pipeline that exists only when the pipeline runs; indexed inside kernels only. */
export type Handle = number[][];
export interface Thread {
  readonly thread: { readonly x: number; readonly y: number };
  readonly constants: { readonly B: number; readonly H: number; readonly I: number; readonly scale: number };
}
export interface Input {
  readonly size: number[];
}
/** Rows of numbers, as many as were returned; a handle alone gives one set of rows. */
export type Pipeline = ((...args: Input[]) => Promise<Float32Array[][]>) & {
  readonly backend: string;
  readonly executorKind: string;
  readonly fallbackReason: string | null;
};
export declare class GPU {
  static isWebGPUAvailable(): Promise<boolean>;
  constructor(settings: { mode: string });
  createKernel<F extends (this: Thread, ...args: never[]) => number>(
    kernel: F,
    settings: { output: number[]; constants: Thread["constants"]; loopMaxIterations?: number },
  ): (...args: Parameters<F>) => Handle;
  createPipeline(orchestrate: (...args: Handle[]) => Handle[], settings: { threads: boolean }): Pipeline;
  destroy(): Promise<void>;
}
export declare function input(data: Float32Array, size: number[]): Input;
