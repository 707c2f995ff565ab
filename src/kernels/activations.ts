/** Activation functions: as scalars for the cells' twins, and as kernels over whole buffers. */
import { defineKernel, elementGroups } from "./kernel.ts";

/** σ(x) = 1 / (1 + e^-x). The shader clamps x to ±85, since float32 holds no e^x much beyond; numbers here do. */
export function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

/** tanh(x). The shader's clamp at ±15 is where float32 has become 1; in float64 that would be 2e-13 off. */
export const safeTanh = Math.tanh;

/** e^x, with the shader's clamp: e^±80 is still an ordinary float32. */
export function safeExp(x: number): number {
  return Math.exp(Math.min(Math.max(x, -80), 80));
}

/** Values of the kernels' param `kind`. */
export const activationKinds = { sigmoid: 0, tanh: 1, relu: 2 } as const;

/** y = σ(x), tanh(x) or max(0, x). */
export const activationForward = defineKernel({
  name: "activation-forward",
  sources: ["lib/activations", "lib/linear-index", "activation-forward"],
  bindings: {
    x: { access: "read", type: "f32", shape: "[length]" },
    y: { access: "read_write", type: "f32", shape: "[length]" },
  },
  params: { length: "u32", kind: "u32" },
  workgroups: ({ length }) => elementGroups(length),
  twin({ x, y }, { length, kind }) {
    for (let i = 0; i < length; i++) {
      switch (kind) {
        case 0: y[i] = sigmoid(x[i]); break;
        case 1: y[i] = safeTanh(x[i]); break;
        default: y[i] = Math.max(x[i], 0);
      }
    }
  },
});

/** dx (+)= dy⊙y'(x). All three derivatives follow from y: y(1 - y), 1 - y² and [y > 0]; x need not be kept. */
export const activationBackward = defineKernel({
  name: "activation-backward",
  sources: ["lib/linear-index", "activation-backward"],
  bindings: {
    y: { access: "read", type: "f32", shape: "[length]" },
    dy: { access: "read", type: "f32", shape: "[length]" },
    dx: { access: "read_write", type: "f32", shape: "[length]" },
  },
  params: { length: "u32", kind: "u32", accumulate: "u32" },
  workgroups: ({ length }) => elementGroups(length),
  twin({ y, dy, dx }, { length, kind, accumulate }) {
    for (let i = 0; i < length; i++) {
      let value = dy[i];
      switch (kind) {
        case 0: value *= y[i] * (1 - y[i]); break;
        case 1: value *= 1 - y[i] * y[i]; break;
        default: value = y[i] > 0 ? value : 0;
      }
      dx[i] = accumulate ? dx[i] + value : value;
    }
  },
});
