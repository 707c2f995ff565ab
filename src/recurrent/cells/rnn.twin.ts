/** The arithmetic of rnn.ts. */
import { safeTanh } from "../../kernels/activations.twin.ts";
import type { CellArithmetic } from "./arithmetic.ts";

export function rnnArithmetic({ relu }: Readonly<Record<string, number>>): CellArithmetic {
  return {
    forward(x, r) {
      const a = x[0] + r[0];
      const h = relu ? Math.max(0, a) : safeTanh(a);
      return { gates: [h], h, c: 0 };
    },
    stateOf: ([h]) => ({ h, c: 0 }),
    backward(_gates, _hPrevious, h, _cPrevious, _c, dh) {
      const d = [relu ? (h > 0 ? dh : 0) : dh * (1 - h * h)];
      return { dGates: d, dRecurrent: d, dhPrevious: 0, dcPrevious: 0 };
    },
  };
}
