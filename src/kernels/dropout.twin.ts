/** The twins of dropout.ts. */
import { dropout } from "./dropout.ts";
import { philox, uniformOf } from "./philox.ts";
import { twin } from "./twin.ts";

export const dropoutTwins = [
  twin(dropout, ({ x, random, y }, { length, stream, p, accumulate }) => {
    // Rounded like the shader's p: a mask bit that falls differently is a wrong element, not a rounding error.
    const threshold = Math.fround(p);
    for (let block = 0; block * 4 < length; block++) {
      const words = philox([block, stream, random[2], random[3]], [random[0], random[1]]);
      for (let i = block * 4; i < Math.min(block * 4 + 4, length); i++) {
        const value = uniformOf(words[i % 4]) >= threshold ? x[i] / (1 - p) : 0;
        y[i] = accumulate ? y[i] + value : value;
      }
    }
  }),
];
