/** The twin of shift-rows.ts. */
import { shiftRows } from "./shift-rows.ts";
import { twin } from "./twin.ts";

export const shiftRowsTwins = [
  twin(shiftRows, ({ x, lengths, y }, { rows, outer, size, inner, count, before, back, accumulate }) => {
    for (let o = 0; o < outer; o++) {
      const shift = lengths[Math.floor(o / (outer / rows))] - before;
      for (let i = 0; i < count; i++) {
        const from = back ? i - shift : i + shift;
        for (let n = 0; n < inner; n++) {
          const value = from >= 0 && from < size ? x[(o * size + from) * inner + n] : 0;
          const at = (o * count + i) * inner + n;
          y[at] = accumulate ? y[at] + value : value;
        }
      }
    }
  }),
];
