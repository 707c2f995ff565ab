/** The twins of extreme.ts. */
import { extremeBackward, extremeForward } from "./extreme.ts";
import { twin } from "./twin.ts";

export const extremeTwins = [
  twin(extremeForward, ({ x, y, places }, { outer, size, inner, sign }) => {
    for (let o = 0; o < outer; o++) {
      for (let n = 0; n < inner; n++) {
        let place = 0;
        for (let i = 1; i < size; i++) {
          if (sign * x[(o * size + i) * inner + n] > sign * x[(o * size + place) * inner + n]) place = i;
        }
        y[o * inner + n] = x[(o * size + place) * inner + n];
        places[o * inner + n] = place;
      }
    }
  }),
  twin(extremeBackward, ({ places, dy, dx }, { outer, size, inner, accumulate }) => {
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < size; i++) {
        for (let n = 0; n < inner; n++) {
          const value = places[o * inner + n] === i ? dy[o * inner + n] : 0;
          const at = (o * size + i) * inner + n;
          dx[at] = accumulate ? dx[at] + value : value;
        }
      }
    }
  }),
];
