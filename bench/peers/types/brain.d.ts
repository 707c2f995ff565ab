export interface Matrix {
  readonly weights: Float32Array;
  readonly deltas: Float32Array;
}
interface Equation {
  runInput(input: Float32Array): Matrix;
  predictTarget(input: Float32Array, target: Float32Array): number;
  backpropagate(): void;
}
export interface Network {
  readonly model: {
    readonly equations: Equation[];
    readonly hiddenLayers: Record<string, Matrix>[];
    readonly outputConnector: Matrix;
    readonly output: Matrix;
  };
  initialize(): void;
  bindEquation(): void;
}
/** CommonJS with a default of its own. */
declare const exported: { readonly default: new (options: { inputSize: number; hiddenLayers: number[]; outputSize: number }) => Network };
export default exported;
