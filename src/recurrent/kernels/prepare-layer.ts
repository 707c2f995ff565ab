import { defineKernel, elementGroups } from "../../kernels/kernel.ts";

/**
 * Packs the recurrent weights for both passes before the first step. A row [unit, gate] of `weight` has the weights
 * from the units that it reads; `forwardBindings` and `backwardBindings` in step.ts give the packed order. Each unit has
 * `width` numbers there, G for its gates and perhaps one more that stays as it is. If the input
 * is gathered, gathered_n = table[ids_{firstId+n}] for `rows` rows; else `rows` is 0.
 */
export const prepareLayer = defineKernel({
  name: "prepare-layer",
  sources: ["lib/linear-index", "strategies/prepare-layer"],
  bindings: {
    weight: { access: "read", type: "f32", shape: "[H, G, fanIn]" },
    bias: { access: "read", type: "f32", shape: "[H, G]; any buffer when useBias is 0" },
    forwardWeights: {
      access: "read_write",
      type: "f32",
      shape: "[fanIn, H, width]: from unit k of its head to the gates of unit j; in row biasRow the bias, or zeros",
    },
    backwardWeights: {
      access: "read_write",
      type: "f32",
      shape: "[fanIn, H, width]: [k, j] from unit j to the gates of unit k of its head; unused when backward is 0",
    },
    table: { access: "read", type: "f32", shape: "[V, columns]; any buffer when rows is 0" },
    ids: { access: "read", type: "u32", shape: "[rows]; any buffer when rows is 0" },
    gathered: { access: "read_write", type: "f32", shape: "[rows, columns]; any buffer when rows is 0" },
  },
  params: {
    H: "u32",
    G: "u32",
    width: "u32",
    fanIn: "u32",
    biasRow: "u32",
    useBias: "u32",
    backward: "u32",
    rows: "u32",
    columns: "u32",
    firstId: "u32",
  },
  workgroups: ({ H, G, fanIn, rows, columns }) => elementGroups((fanIn + 1) * H * G + rows * columns),
});
