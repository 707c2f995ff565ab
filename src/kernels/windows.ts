/**
 * Windows of a sequence, for convolutions and pooling. Letters: N batch, C channels, L length of the sequence, P positions
 * of the window, K taps of the window, G groups of channels.
 */
import { defineKernel, elementGroups } from "./kernel.ts";

const params = {
  batch: "u32",
  channels: "u32",
  length: "u32",
  groups: "u32",
  positions: "u32",
  taps: "u32",
  stride: "u32",
  dilation: "u32",
  before: "u32",
  xBatch: "u32",
  xChannel: "u32",
  xStep: "u32",
  fill: "f32",
  accumulate: "u32",
} as const;

/**
 * windows[g, n, p, c, k] (+)= x[n, gC/G + c, p·stride + k·dilation - before], or `fill` outside of the sequence. Element
 * (n, c, l) of x is at `n*xBatch + c*xChannel + l*xStep`; windows is contiguous.
 */
export const unfold = defineKernel({
  name: "unfold",
  sources: ["lib/linear-index", "unfold"],
  bindings: {
    x: { access: "read", type: "f32", shape: "[N, C, L] by strides" },
    windows: { access: "read_write", type: "f32", shape: "[G, N, P, C/G, K]" },
  },
  params,
  workgroups: ({ batch, channels, positions, taps }) => elementGroups(batch * channels * positions * taps),
});

/** The reverse, which sums where windows overlap: x[n, c, l] (+)= Σ windows[…] over all windows with that element. */
export const fold = defineKernel({
  name: "fold",
  sources: ["lib/linear-index", "fold"],
  bindings: {
    windows: { access: "read", type: "f32", shape: "[G, N, P, C/G, K]" },
    x: { access: "read_write", type: "f32", shape: "[N, C, L] by strides" },
  },
  params,
  workgroups: ({ batch, channels, length }) => elementGroups(batch * channels * length),
});
