/** σ(x) = 1 / (1 + e^-x), with the shader's clamp. */
export function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-Math.min(Math.max(x, -40), 40)));
}

/** tanh(x), with the shader's clamp: |tanh(15)| differs from 1 by 2e-13. */
export function safeTanh(x: number): number {
  return Math.tanh(Math.min(Math.max(x, -15), 15));
}
