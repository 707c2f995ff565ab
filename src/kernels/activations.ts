/** Activation functions as kernels over whole buffers. */
import { defineKernel, elementGroups } from "./kernel.ts";

/** Values of the kernels' param `kind`. */
export const activationKinds = { sigmoid: 0, tanh: 1, relu: 2 } as const;

/** y = σ(x), tanh(x) or max(0, x). */
export const activationForward = defineKernel({
  name: "activation-forward",
  sources: ["lib/activations", "lib/linear-index", "activation-forward"],
  bindings: { x: { access: "read", type: "f32", shape: "[length]" }, y: { access: "read_write", type: "f32", shape: "[length]" } },
  params: { length: "u32", kind: "u32" },
  workgroups: ({ length }) => elementGroups(length),
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
});
