/** The functions of a cell's gates with their derivatives. */
import { activationFunctions } from "../../kernels/activation-functions.ts";
import { activationGradients } from "../../kernels/activation-gradients.ts";
import { endsOf, usualFunctions, type GateFunction, type GateFunctions } from "./gate-functions.ts";

export interface FunctionTwin {
  of(a: number): number;
  /** @param d ∂L/∂y @returns ∂L/∂a */
  gradient(d: number, y: number): number;
}

/**
 * A clipped gate has one of two values that, but for rounding, no other gate has. By these the backward pass recognises
 * it. Arrays of float32 hold them rounded.
 */
function twinOf(of: GateFunction, clip: number): FunctionTwin {
  const { name, alpha, beta } = of;
  const value: (x: number, alpha: number, beta: number) => number = activationFunctions[name];
  const gradient = activationGradients[name];
  const [top, bottom] = endsOf(of, clip);
  const ends = [top, bottom, Math.fround(top), Math.fround(bottom)];
  return {
    of: (a) => (clip > 0 && a >= clip ? top : clip > 0 && a <= -clip ? bottom : value(a, alpha, beta)),
    gradient: (d, y) => (clip > 0 && ends.includes(y) ? 0 : gradient(d, y, alpha, beta)),
  };
}

export interface FunctionTwins {
  readonly gate: FunctionTwin;
  readonly candidate: FunctionTwin;
  readonly output: FunctionTwin;
}

export const functionTwins = ({ gates, candidate, output, clip }: GateFunctions = usualFunctions): FunctionTwins => ({
  gate: twinOf(gates, clip),
  candidate: twinOf(candidate, clip),
  output: twinOf(output, 0),
});
