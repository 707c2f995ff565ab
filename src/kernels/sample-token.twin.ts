/** The twins of sample-token.ts. */
import type { NumericArray } from "../tensor/tensor.ts";
import { sampleToken, advancePosition } from "./sample-token.ts";
import { philox } from "./philox.ts";
import { twin } from "./twin.ts";

/** (0, 1), both ends open: the midpoints of 2^23 intervals, each exact in float32. */
export const openUniformOf = (word: number): number => ((word >>> 9) + 0.5) * 2 ** -23;

/** -ln(-ln u), computed from v = 1 - u, which keeps the digits of large draws. */
const gumbelOf = (word: number): number => -Math.log(-Math.log1p(-openUniformOf(word)));

/** The topK-th greatest logit of a row. */
function thresholdOf(logits: NumericArray, at: number, columns: number, topK: number): number {
  return Float64Array.from(logits.subarray(at, at + columns)).sort()[columns - topK];
}

export const sampleTokenTwins = [
  twin(sampleToken, ({ logits, sampling, random, position, tokens, history }, { rows, columns, capacity, stream, separate }) => {
    const temperature = sampling[0];
    const topK = Math.trunc(sampling[1]);
    for (let row = 0; row < rows; row++) {
      const at = row * columns;
      const [firstWord, streamRow] = separate ? [4 * row, 0] : [0, row];
      const threshold = topK > 0 && topK < columns ? thresholdOf(logits, at, columns, topK) : -Infinity;
      let best = -3.4e38;
      let token = 0;
      for (let block = 0; block * 4 < columns; block++) {
        const words = philox(
          [block, (stream + streamRow) >>> 0, (random[firstWord + 2] + position[0]) >>> 0, random[firstWord + 3]],
          [random[firstWord], random[firstWord + 1]],
        );
        for (let column = block * 4; column < Math.min(block * 4 + 4, columns); column++) {
          const logit = logits[at + column];
          const score = temperature > 0 ? logit / temperature + gumbelOf(words[column % 4]) : logit;
          if (logit >= threshold && score > best) {
            best = score;
            token = column;
          }
        }
      }
      tokens[row] = token;
      history[(position[0] % capacity) * rows + row] = token;
    }
  }),
  twin(advancePosition, ({ position }, { by }) => {
    position[0] += by;
  }),
];
