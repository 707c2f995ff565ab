import { defineKernel } from "./kernel.ts";

/** Columns per workgroup: the power of two that holds them, at most 16. */
export const columnWidth = (columns: number): number => 1 << Math.min(4, 32 - Math.clz32(columns - 1));

/** sums_c (+)= Σ_r x_rc: the gradient of a bias. */
export const columnSum = defineKernel({
  name: "column-sum",
  bindings: {
    x: { access: "read", type: "f32", shape: "[rows, columns]" },
    sums: { access: "read_write", type: "f32", shape: "[columns]" },
  },
  params: { rows: "u32", columns: "u32", accumulate: "u32" },
  workgroups: ({ columns }) => [Math.ceil(columns / columnWidth(columns)), 1, 1],
});
