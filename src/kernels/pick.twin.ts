/** The twin of pick.ts. */
import { pick } from "./pick.ts";
import { twin } from "./twin.ts";

export const pickTwins = [
  twin(pick, ({ x, starts, sources, y }, { outer, size, inner, count, fill, accumulate }) => {
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < count; i++) {
        for (let n = 0; n < inner; n++) {
          let value = starts[i] === starts[i + 1] ? fill : 0;
          for (let s = starts[i]; s < starts[i + 1]; s++) value += x[(o * size + sources[s]) * inner + n];
          const at = (o * count + i) * inner + n;
          y[at] = accumulate ? y[at] + value : value;
        }
      }
    }
  }),
];
