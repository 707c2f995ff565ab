/** The twins of binary.ts. */
import { binary } from "./binary.ts";
import { twin } from "./twin.ts";

export const binaryTwins = [
  twin(binary, ({ a, b, y }, { size0, size1, size2, size3, a0, a1, a2, a3, b0, b1, b2, b3, kind, accumulate }) => {
    let at = 0;
    for (let i = 0; i < size0; i++) {
      for (let j = 0; j < size1; j++) {
        for (let k = 0; k < size2; k++) {
          let atA = i * a0 + j * a1 + k * a2;
          let atB = i * b0 + j * b1 + k * b2;
          for (let l = 0; l < size3; l++, atA += a3, atB += b3, at++) {
            const value = kind === 0 ? a[atA] + b[atB] : a[atA] * b[atB];
            y[at] = accumulate ? y[at] + value : value;
          }
        }
      }
    }
  }),
];
