import { defineKernel, elementGroups } from "./kernel.ts";

/**
 * Functions of two numbers; the place of a name is the kernels' param `kind`. Comparisons and logic give 1 or 0, and any
 * number but 0 counts as true. `keep` is b where a is true, else 0; `drop` is 0 where a is true, else b.
 */
export const binaryNames = [
  "add",
  "multiply",
  "subtract",
  "divide",
  "power",
  "maximum",
  "minimum",
  "equal",
  "less",
  "lessOrEqual",
  "and",
  "or",
  "keep",
  "drop",
] as const;
export type BinaryName = (typeof binaryNames)[number];

const operands = {
  a: { access: "read", type: "f32", shape: "by strides" },
  b: { access: "read", type: "f32", shape: "by strides" },
} as const;
const written = { access: "read_write", type: "f32", shape: "[size0, size1, size2, size3]" } as const;
const read = { ...written, access: "read" } as const;
const space = {
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
} as const;
type Sizes = Readonly<Record<"size0" | "size1" | "size2" | "size3", number>>;
const workgroups = ({ size0, size1, size2, size3 }: Sizes) => elementGroups(size0 * size1 * size2 * size3);

/**
 * y (+)= f(a, b), element by element over four indices; y is contiguous. Element (i, j, k, l) of a is at
 * `i*a0 + j*a1 + k*a2 + l*a3`: a stride of 0 repeats an operand along that index.
 */
export const binary = defineKernel({
  name: "binary",
  sources: ["lib/linear-index", "lib/broadcast", "lib/no-number", "binary"],
  bindings: { ...operands, y: written },
  params: { ...space, kind: "u32", accumulate: "u32" },
  workgroups,
});

/**
 * dx (+)= dy⊙∂f/∂a, or dy⊙∂f/∂b if `second` is 1, for divide, power, maximum, minimum, and for keep and drop by b. It is
 * not yet summed over the indices along which an operand was repeated.
 */
export const binaryGradient = defineKernel({
  name: "binary-gradient",
  sources: ["lib/linear-index", "lib/broadcast", "lib/no-number", "binary-gradient"],
  bindings: { ...operands, y: read, dy: read, dx: written },
  params: { ...space, kind: "u32", second: "u32", accumulate: "u32" },
  workgroups,
});
