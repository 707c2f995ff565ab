/** The twins of strided-copy.ts. */
import { stridedCopy } from "./strided-copy.ts";
import { twin } from "./twin.ts";

export const stridedCopyTwins = [
  twin(stridedCopy, ({ input, output }, p) => {
    for (let i = 0; i < p.size0; i++) {
      for (let j = 0; j < p.size1; j++) {
        for (let k = 0; k < p.size2; k++) {
          const value = input[p.fromOffset + i * p.from0 + j * p.from1 + k * p.from2];
          const at = p.toOffset + i * p.to0 + j * p.to1 + k * p.to2;
          output[at] = p.accumulate ? output[at] + value : value;
        }
      }
    }
  }),
];
