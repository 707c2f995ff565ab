import { defineKernel, elementGroups } from "./kernel.ts";

/**
 * The words by which recurrent layers know the steps of rows that may have gaps (see lengthsOfMask in
 * recurrent/kernels/lanes.ts), from a mask that the model computes. Letters: T steps, B batch rows, W words of a row.
 */
export const stepBits = defineKernel({
  name: "step-bits",
  sources: ["lib/linear-index", "step-bits"],
  bindings: {
    mask: { access: "read", type: "f32", shape: "[B, T]: 0 for a step that the row lacks" },
    words: { access: "read_write", type: "u32", shape: "[B + B·W]" },
  },
  params: { T: "u32", B: "u32" },
  workgroups: ({ T, B }) => elementGroups(B * Math.ceil(T / 32)),
});
