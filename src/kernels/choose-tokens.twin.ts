/** The twins of choose-tokens.ts. */
import { chooseTokens } from "./choose-tokens.ts";
import { philox, uniformOf } from "./philox.ts";
import { twin } from "./twin.ts";

export const chooseTokensTwins = [
  twin(chooseTokens, ({ given, drawn, rate, random, tokens }, { rows, offset, stream }) => {
    // Rounded like the shader's rate: a coin that falls differently gives another token, not a rounding error.
    const threshold = Math.fround(rate[0]);
    for (let row = 0; row < rows; row++) {
      const words = philox([row >>> 2, stream, random[2], random[3]], [random[0], random[1]]);
      tokens[row] = uniformOf(words[row & 3]) < threshold ? drawn[row] : given[offset + row];
    }
  }),
];
