/** The twins of embedding.ts. */
import { embeddingGather, embeddingScatter } from "./embedding.ts";
import { twin } from "./twin.ts";

export const embeddingTwins = [
  twin(embeddingGather, ({ weight, ids, y }, { rows, columns, firstId }) => {
    for (let n = 0; n < rows; n++) {
      for (let column = 0; column < columns; column++) y[n * columns + column] = weight[ids[firstId + n] * columns + column];
    }
  }),
  twin(embeddingScatter, ({ dy, ids, dWeight }, { rows, columns, vocabulary, accumulate, firstId }) => {
    if (!accumulate) dWeight.fill(0, 0, vocabulary * columns);
    for (let n = 0; n < rows; n++) {
      for (let column = 0; column < columns; column++) dWeight[ids[firstId + n] * columns + column] += dy[n * columns + column];
    }
  }),
];
