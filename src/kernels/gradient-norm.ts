/** The norm of all gradients in two dispatches, the scale that clips it, and whether the step may be taken at all. */
import { defineKernel } from "./kernel.ts";

/** Number of partial sums, and of workgroups, for a gradient of this length: at most 256, so that one workgroup can fold them. */
export const gradientNormGroups = (length: number): number => Math.min(256, Math.max(1, Math.ceil(length / 1024)));

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
  twin({ gradients, partial }, { length, groups }) {
    for (let group = 0; group < groups; group++) {
      let sum = 0;
      for (let block = group * 64; block < length; block += groups * 64) {
        for (let i = block; i < Math.min(block + 64, length); i++) sum += gradients[i] * gradients[i];
      }
      partial[group] = sum;
    }
  },
});

/**
 * norm = √Σ partial, and scale = min(1, maxNorm / (norm + 1e-6)) as in PyTorch's clip_grad_norm_, or 1 if maxNorm
 * is 0. `healthy` falls to 0 when the loss or the norm is NaN or infinite, and stays there until the host writes 1
 * again; the scale is then 0. Optimisers change nothing while it is 0, so the parameters survive for inspection.
 */
export const gradientNorm = defineKernel({
  name: "gradient-norm",
  sources: ["lib/finite", "lib/fold", "gradient-norm"],
  bindings: {
    partial: { access: "read", type: "f32", shape: "[groups]" },
    loss: { access: "read", type: "f32", shape: "[1]" },
    norm: { access: "read_write", type: "f32", shape: "[4]: norm, scale, healthy, 0" },
  },
  params: { groups: "u32", maxNorm: "f32" },
  workgroups: () => [1, 1, 1],
  twin({ partial, loss, norm }, { groups, maxNorm }) {
    let sum = 0;
    for (let group = 0; group < groups; group++) sum += partial[group];
    // Through the array, so that it overflows where the shader's float32 does.
    norm[0] = sum;
    const total = norm[0];
    norm[0] = Math.sqrt(total);
    const healthy = norm[2] !== 0 && Number.isFinite(total) && Number.isFinite(loss[0]);
    let scale = 0;
    if (healthy) {
      scale = 1;
      if (maxNorm > 0) scale = Math.min(1, maxNorm / (Math.sqrt(total) + 1e-6));
    }
    norm[1] = scale;
    norm[2] = healthy ? 1 : 0;
    norm[3] = 0;
  },
});
