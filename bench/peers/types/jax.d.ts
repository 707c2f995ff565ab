export type Device = "webgpu" | "wasm" | "cpu" | "webgl";
/** Called `Array` there. */
export interface JaxArray {
  readonly ref: JaxArray;
  dispose(): void;
  data(): Promise<Float32Array>;
  add(other: JaxArray): JaxArray;
  sub(other: JaxArray): JaxArray;
  mul(other: JaxArray): JaxArray;
  slice(index: number): JaxArray;
  reshape(shape: number[]): JaxArray;
}
type Compiled<F> = F & { dispose(): void };
export declare function init(...devices: Device[]): Promise<Device[]>;
export declare function defaultDevice(device: Device): void;
export declare function jit<F extends (...args: JaxArray[]) => JaxArray | JaxArray[]>(f: F, options: { device: Device }): Compiled<F>;
export declare function valueAndGrad(
  f: (...args: JaxArray[]) => JaxArray,
  options: { argnums: number[] },
): (...args: JaxArray[]) => [JaxArray, JaxArray[]];
export declare const nn: { sigmoid(x: JaxArray): JaxArray };
export declare const numpy: {
  array(data: Float32Array, options: { shape: number[]; device: Device }): JaxArray;
  zeros(shape: number[]): JaxArray;
  matmul(a: JaxArray, b: JaxArray): JaxArray;
  split(x: JaxArray, sections: number | number[], axis: number): JaxArray[];
  stack(x: JaxArray[]): JaxArray;
  tanh(x: JaxArray): JaxArray;
  square(x: JaxArray): JaxArray;
  mean(x: JaxArray): JaxArray;
};
