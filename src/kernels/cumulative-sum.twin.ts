/** The twin of cumulative-sum.ts. */
import { cumulativeSum } from "./cumulative-sum.ts";
import { twin } from "./twin.ts";

export const cumulativeSumTwins = [
  twin(cumulativeSum, ({ x, y }, { outer, size, inner, reverse, exclusive, accumulate }) => {
    for (let o = 0; o < outer; o++) {
      for (let n = 0; n < inner; n++) {
        let sum = 0;
        for (let i = 0; i < size; i++) {
          const at = (o * size + (reverse ? size - 1 - i : i)) * inner + n;
          const value = exclusive ? sum : sum + x[at];
          sum += x[at];
          y[at] = accumulate ? y[at] + value : value;
        }
      }
    }
  }),
];
