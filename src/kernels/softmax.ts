import { safeExp } from "./activations.ts";
import { defineKernel, sharedRowGroups } from "./kernel.ts";

/**
 * Softmax of each row, y_c = e^(x_c - m) / Σ_j e^(x_j - m) with m the row's maximum, or its logarithm
 * x_c - m - ln Σ_j e^(x_j - m) if `log` is 1.
 */
export const softmaxForward = defineKernel({
  name: "softmax-forward",
  sources: ["lib/activations", "lib/linear-index", "lib/rows", "softmax-forward"],
  bindings: {
    x: { access: "read", type: "f32", shape: "[rows, columns]" },
    y: { access: "read_write", type: "f32", shape: "[rows, columns]" },
  },
  params: { rows: "u32", columns: "u32", log: "u32" },
  workgroups: sharedRowGroups,
  twin({ x, y }, { rows, columns, log }) {
    for (let row = 0; row < rows; row++) {
      const at = row * columns;
      let greatest = -3.4e38;
      for (let column = 0; column < columns; column++) greatest = Math.max(greatest, x[at + column]);
      let sum = 0;
      for (let column = 0; column < columns; column++) sum += safeExp(x[at + column] - greatest);
      const logSum = Math.log(sum);
      for (let column = 0; column < columns; column++) {
        const shifted = x[at + column] - greatest;
        y[at + column] = log ? shifted - logSum : safeExp(shifted) / sum;
      }
    }
  },
});

/** The derivative from the value y: dx_c (+)= y_c (dy_c - Σ_j dy_j y_j), or dy_c - e^(y_c) Σ_j dy_j if `log` is 1. */
export const softmaxBackward = defineKernel({
  name: "softmax-backward",
  sources: ["lib/activations", "lib/linear-index", "lib/rows", "softmax-backward"],
  bindings: {
    y: { access: "read", type: "f32", shape: "[rows, columns]" },
    dy: { access: "read", type: "f32", shape: "[rows, columns]" },
    dx: { access: "read_write", type: "f32", shape: "[rows, columns]" },
  },
  params: { rows: "u32", columns: "u32", log: "u32", accumulate: "u32" },
  workgroups: sharedRowGroups,
  twin({ y, dy, dx }, { rows, columns, log, accumulate }) {
    for (let row = 0; row < rows; row++) {
      const at = row * columns;
      let sum = 0;
      for (let column = 0; column < columns; column++) sum += log ? dy[at + column] : dy[at + column] * y[at + column];
      for (let column = 0; column < columns; column++) {
        const i = at + column;
        const value = log ? dy[i] - safeExp(y[i]) * sum : y[i] * (dy[i] - sum);
        dx[i] = accumulate ? dx[i] + value : value;
      }
    }
  },
});
