/** The twins of mask-steps.ts. */
import { maskSteps } from "./mask-steps.ts";
import { twin } from "./twin.ts";

export const maskStepsTwins = [
  twin(maskSteps, ({ x, lengths, y }, { T, B, H, accumulate }) => {
    for (let t = 0; t < T; t++) {
      for (let row = 0; row < B; row++) {
        for (let unit = 0; unit < H; unit++) {
          const i = (t * B + row) * H + unit;
          const value = t < lengths[row] ? x[i] : 0;
          y[i] = accumulate ? y[i] + value : value;
        }
      }
    }
  }),
];
