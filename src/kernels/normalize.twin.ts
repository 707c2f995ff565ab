/** The twins of normalize.ts. */
import { normalizeBackward, normalizeForward } from "./normalize.ts";
import { twin } from "./twin.ts";

export const normalizeTwins = [
  twin(normalizeForward, ({ x, y, means, variances }, { rows, columns, eps }) => {
    for (let row = 0; row < rows; row++) {
      const at = row * columns;
      let sum = 0;
      for (let column = 0; column < columns; column++) sum += x[at + column];
      const mean = sum / columns;
      let squares = 0;
      for (let column = 0; column < columns; column++) squares += (x[at + column] - mean) ** 2;
      const variance = squares / columns;
      for (let column = 0; column < columns; column++) y[at + column] = (x[at + column] - mean) / Math.sqrt(variance + eps);
      means[row] = mean;
      variances[row] = variance;
    }
  }),
  twin(normalizeBackward, ({ y, variances, dy, dx }, { rows, columns, eps, accumulate }) => {
    for (let row = 0; row < rows; row++) {
      const at = row * columns;
      let sum = 0;
      let products = 0;
      for (let i = at; i < at + columns; i++) {
        sum += dy[i];
        products += dy[i] * y[i];
      }
      for (let i = at; i < at + columns; i++) {
        const value = (dy[i] - sum / columns - (y[i] * products) / columns) / Math.sqrt(variances[row] + eps);
        dx[i] = accumulate ? dx[i] + value : value;
      }
    }
  }),
];
