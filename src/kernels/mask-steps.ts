import { defineKernel, elementGroups } from "./kernel.ts";

/**
 * y_tb (+)= x_tb for t < lengths_b, else 0: padding as PyTorch's pad_packed_sequence leaves it. The same dispatch on
 * dy is the backward pass. Letters: T steps, B batch rows, H units.
 */
export const maskSteps = defineKernel({
  name: "mask-steps",
  sources: ["lib/linear-index", "mask-steps"],
  bindings: {
    x: { access: "read", type: "f32", shape: "[T, B, H]" },
    lengths: { access: "read", type: "u32", shape: "[B]: steps of each row" },
    y: { access: "read_write", type: "f32", shape: "[T, B, H]" },
  },
  params: { T: "u32", B: "u32", H: "u32", accumulate: "u32" },
  workgroups: ({ T, B, H }) => elementGroups(T * B * H),
});
