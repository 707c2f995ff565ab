/** The twins of per-unit-gradient.ts. */
import { perUnitGradient } from "./per-unit-gradient.ts";
import { twin } from "../../kernels/twin.ts";

export const perUnitGradientTwins = [
  twin(perUnitGradient, ({ dGates, c, dOwn }, { rows, H, G, cPrevious, cCurrent, before, after, accumulate }) => {
    for (let unit = 0; unit < H; unit++) {
      for (let gate = 0; gate < G; gate++) {
        let sum = 0;
        for (let row = 0; row < rows; row++) {
          const at = row * H + unit;
          const seen = (before >> gate) & 1 ? c[cPrevious + at] : (after >> gate) & 1 ? c[cCurrent + at] : 0;
          sum += dGates[at * G + gate] * seen;
        }
        const place = unit * G + gate;
        dOwn[place] = accumulate ? dOwn[place] + sum : sum;
      }
    }
  }),
];
