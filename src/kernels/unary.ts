/** Functions of one number, as kernels over whole buffers. */
import { defineKernel, elementGroups } from "./kernel.ts";

/** y = f(x). */
export const unaryForward = defineKernel({
  name: "unary-forward",
  sources: ["lib/activations", "lib/functions", "lib/no-number", "lib/math-functions", "lib/linear-index", "unary-forward"],
  bindings: { x: { access: "read", type: "f32", shape: "[length]" }, y: { access: "read_write", type: "f32", shape: "[length]" } },
  params: { length: "u32", kind: "u32", alpha: "f32", beta: "f32" },
  workgroups: ({ length }) => elementGroups(length),
});

/** dx (+)= dy⊙f'(x); y = f(x). */
export const unaryBackward = defineKernel({
  name: "unary-backward",
  sources: ["lib/activations", "lib/functions", "lib/no-number", "lib/math-functions", "lib/linear-index", "unary-backward"],
  bindings: {
    x: { access: "read", type: "f32", shape: "[length]" },
    y: { access: "read", type: "f32", shape: "[length]" },
    dy: { access: "read", type: "f32", shape: "[length]" },
    dx: { access: "read_write", type: "f32", shape: "[length]" },
  },
  params: { length: "u32", kind: "u32", alpha: "f32", beta: "f32", accumulate: "u32" },
  workgroups: ({ length }) => elementGroups(length),
});
