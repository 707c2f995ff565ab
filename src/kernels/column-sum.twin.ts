/** The twins of column-sum.ts. */
import { columnSum } from "./column-sum.ts";
import { twin } from "./twin.ts";

export const columnSumTwins = [
  twin(columnSum, ({ x, sums }, { rows, columns, accumulate }) => {
    for (let column = 0; column < columns; column++) {
      let sum = 0;
      for (let row = 0; row < rows; row++) sum += x[row * columns + column];
      sums[column] = accumulate ? sums[column] + sum : sum;
    }
  }),
];
