/** The arithmetic of rnn.ts. */
import type { CellArithmetic } from "./arithmetic.ts";
import type { FunctionTwins } from "./gate-functions.twin.ts";

export function rnnArithmetic(_constants: object, { candidate }: FunctionTwins): CellArithmetic {
  return {
    forward(x, r) {
      const h = candidate.of(x[0] + r[0]);
      return { gates: [h], h, c: 0 };
    },
    stateOf: ([h]) => ({ h, c: 0 }),
    backward(_gates, _hPrevious, h, _cPrevious, _c, dh) {
      const d = [candidate.gradient(dh, h)];
      return { dGates: d, dRecurrent: d, dhPrevious: 0, dcPrevious: 0 };
    },
  };
}
