/** The twins of gradient-norm.ts. */
import { gradientNormPartial, gradientNorm } from "./gradient-norm.ts";
import { twin } from "./twin.ts";

export const gradientNormTwins = [
  twin(gradientNormPartial, ({ gradients, partial }, { length, groups }) => {
    for (let group = 0; group < groups; group++) {
      let sum = 0;
      for (let block = group * 64; block < length; block += groups * 64) {
        for (let i = block; i < Math.min(block + 64, length); i++) sum += gradients[i] * gradients[i];
      }
      partial[group] = sum;
    }
  }),
  twin(gradientNorm, ({ values, losses, normalizer, loss, norm }, { length, squared, rows, maxNorm, mostNorm }) => {
    let lossSum = 0;
    for (let row = 0; row < rows; row++) lossSum += losses[row];
    loss[0] = normalizer[1] * lossSum;
    let sum = 0;
    for (let i = 0; i < length; i++) sum += squared ? values[i] : values[i] * values[i];
    // Stored in the array first, so that it overflows where the shader's float32 does.
    norm[0] = sum;
    const total = norm[0];
    norm[0] = Math.sqrt(total);
    const healthy = norm[2] !== 0 && Number.isFinite(total) && Number.isFinite(loss[0]) && (mostNorm === 0 || norm[0] <= mostNorm);
    let scale = 0;
    if (healthy) {
      scale = 1;
      if (maxNorm > 0) scale = Math.min(1, maxNorm / (Math.sqrt(total) + 1e-6));
    }
    norm[1] = scale;
    norm[2] = healthy ? 1 : 0;
    if (healthy) norm[3] = 1;
  }),
];
