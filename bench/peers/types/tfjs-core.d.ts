/**
 * What the bench uses of each peer. The packages are not there when the repository is checked, since they are
 * installed on demand; tsconfig.json points their names here, and bundlers do not look at declarations.
 */
export interface Tensor {
  data(): Promise<Float32Array>;
  dispose(): void;
}
export interface Variable extends Tensor {
  readonly name: string;
}
export interface Optimizer {
  minimize(loss: () => Tensor, returnCost: true, variables: Variable[]): Tensor;
  dispose(): void;
}
export declare const version_core: string;
export declare const train: { sgd(learningRate: number): Optimizer };
export declare function env(): { set(flag: string, value: boolean | number): void };
export declare function setBackend(name: string): Promise<boolean>;
export declare function ready(): Promise<void>;
export declare function tensor(data: Float32Array, shape: number[]): Tensor;
export declare function tidy<T>(work: () => T): T;
export declare function dispose(tensors: unknown): void;
export declare function mean(x: Tensor): Tensor;
export declare function square(x: Tensor): Tensor;
export declare function sub(a: Tensor, b: Tensor): Tensor;
export declare function variableGrads(loss: () => Tensor, variables: Variable[]): { value: Tensor; grads: Record<string, Tensor> };
