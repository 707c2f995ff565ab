import { defineKernel, elementGroups } from "./kernel.ts";

/** Values of the kernel's param `kind`. */
export const binaryKinds = { add: 0, multiply: 1 } as const;

/**
 * y (+)= a + b or a·b, element by element over four indices; y is contiguous. Element (i, j, k, l) of a is at
 * `i*a0 + j*a1 + k*a2 + l*a3`: a stride of 0 repeats an operand along that index.
 */
export const binary = defineKernel({
  name: "binary",
  sources: ["lib/linear-index", "binary"],
  bindings: {
    a: { access: "read", type: "f32", shape: "by strides" },
    b: { access: "read", type: "f32", shape: "by strides" },
    y: { access: "read_write", type: "f32", shape: "[size0, size1, size2, size3]" },
  },
  params: {
    size0: "u32",
    size1: "u32",
    size2: "u32",
    size3: "u32",
    a0: "u32",
    a1: "u32",
    a2: "u32",
    a3: "u32",
    b0: "u32",
    b1: "u32",
    b2: "u32",
    b3: "u32",
    kind: "u32",
    accumulate: "u32",
  },
  workgroups: ({ size0, size1, size2, size3 }) => elementGroups(size0 * size1 * size2 * size3),
});
