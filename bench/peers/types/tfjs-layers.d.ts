import type { Tensor, Variable } from "@tensorflow/tfjs-core";
export interface RecurrentLayer {
  readonly trainableWeights: readonly { readonly val: Variable }[];
  apply(x: Tensor): Tensor;
  setWeights(weights: Tensor[]): void;
  dispose(): void;
}
interface Options {
  units: number;
  returnSequences: boolean;
  inputShape: number[];
  recurrentActivation?: "sigmoid";
}
export declare const layers: { [kind in "simpleRNN" | "lstm" | "gru"]: (options: Options) => RecurrentLayer };
