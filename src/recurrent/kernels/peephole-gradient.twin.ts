/** The twins of peephole-gradient.ts. */
import { peepholeGradient } from "./peephole-gradient.ts";
import { twin } from "../../kernels/twin.ts";

export const peepholeGradientTwins = [
  twin(peepholeGradient, ({ dGates, c, dPeepholes }, { rows, H, cPrevious, cCurrent, accumulate }) => {
    for (let unit = 0; unit < H; unit++) {
      for (let gate = 0; gate < 4; gate++) {
        let sum = 0;
        for (let row = 0; row < rows; row++) {
          const at = row * H + unit;
          const seen = gate === 2 ? 0 : c[(gate === 3 ? cCurrent : cPrevious) + at];
          sum += dGates[at * 4 + gate] * seen;
        }
        const place = unit * 4 + gate;
        dPeepholes[place] = accumulate ? dPeepholes[place] + sum : sum;
      }
    }
  }),
];
