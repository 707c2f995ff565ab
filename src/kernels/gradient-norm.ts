/**
 * The loss, the norm of all gradients, the scale that clips it, and whether the step may be taken. One dispatch of one
 * workgroup up to `mostInOneGroup` parameters; for more, a dispatch before it makes partial sums.
 */
import { defineKernel } from "./kernel.ts";

/** Beyond this many gradients, a second dispatch costs less than reading them in one workgroup. */
export const mostInOneGroup = 2 ** 17;
/** Number of partial sums, and of workgroups that make them. */
export const normGroups = 256;

/**
 * The largest norm that counts as finite without clipping. Squares of larger norms may still fit float32, but an
 * optimiser that keeps them would take thousands of steps to forget them.
 */
export const mostUnclippedNorm = 2 ** 50;

/** partial_g = Σ gradients² over the blocks of 64 that fall to group g. */
export const gradientNormPartial = defineKernel({
  name: "gradient-norm-partial",
  sources: ["lib/rows", "gradient-norm-partial"],
  bindings: {
    gradients: { access: "read", type: "f32", shape: "[length]" },
    partial: { access: "read_write", type: "f32", shape: "[groups]" },
  },
  params: { length: "u32", groups: "u32" },
  workgroups: ({ groups }) => [groups, 1, 1],
});

/**
 * loss = factor · Σ losses; norm = √Σ values² (√Σ values if they are `squared` already), and
 * scale = min(1, maxNorm / (norm + 1e-6)) as in PyTorch's clip_grad_norm_, or 1 if maxNorm is 0. `healthy` falls to 0
 * when the loss or the norm is NaN or infinite, or the norm beyond `mostNorm` (0: any), and stays there until the host
 * writes 1 again; the scale is then 0. `keeps` is 1 once a step has been healthy: `lastGood` then holds the state
 * before it.
 */
export const gradientNorm = defineKernel({
  name: "gradient-norm",
  sources: ["lib/finite", "lib/fold", "gradient-norm"],
  bindings: {
    values: { access: "read", type: "f32", shape: "[length], a multiple of 4: gradients, or sums of their squares" },
    losses: { access: "read", type: "f32", shape: "[rows]" },
    normalizer: { access: "read", type: "f32", shape: "[2]: Σ weights, factor" },
    loss: { access: "read_write", type: "f32", shape: "[1]" },
    norm: { access: "read_write", type: "f32", shape: "[4]: norm, scale, healthy, keeps" },
  },
  params: { length: "u32", squared: "u32", rows: "u32", maxNorm: "f32", mostNorm: "f32" },
  workgroups: () => [1, 1, 1],
});
