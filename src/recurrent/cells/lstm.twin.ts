/** The arithmetic of lstm.ts. */
import { safeTanh, sigmoid } from "../../kernels/activations.twin.ts";
import type { CellArithmetic, ReadOut } from "./arithmetic.ts";

export function lstmArithmetic({ forgets, coupled, squashes }: Readonly<Record<string, number>>): CellArithmetic {
  const output = squashes ? safeTanh : (c: number) => c;
  const readOut: ReadOut = {
    forward: ([, , , o], z) => o * output(z),
    backward([, , , o], z, dh) {
      const out = output(z);
      return { dOutput: dh * out * o * (1 - o), dz: dh * o * (squashes ? 1 - out * out : 1) };
    },
    gatesBackward([i, f, g], cPrevious, dOutput, dcTotal, p) {
      const dInput = dcTotal * (coupled ? g - cPrevious : g) * i * (1 - i);
      const dForget = forgets ? dcTotal * cPrevious * f * (1 - f) : 0;
      const dGates = [dInput, dForget, dcTotal * i * (1 - g * g), dOutput];
      return { dGates, dRecurrent: dGates, dhPrevious: 0, dcPrevious: dcTotal * f + dInput * p[0] + dForget * p[1] };
    },
  };
  return {
    readOut,
    forward(x, r, _hPrevious, cPrevious, p) {
      const i = sigmoid(x[0] + r[0] + p[0] * cPrevious);
      const f = coupled ? 1 - i : forgets ? sigmoid(x[1] + r[1] + p[1] * cPrevious) : 1;
      const g = safeTanh(x[2] + r[2]);
      const c = f * cPrevious + i * g;
      const gates = [i, f, g, sigmoid(x[3] + r[3] + p[3] * c)];
      return { gates, h: readOut.forward(gates, c), c };
    },
    stateOf(gates, _hPrevious, cPrevious) {
      const [i, f, g] = gates;
      const c = f * cPrevious + i * g;
      return { h: readOut.forward(gates, c), c };
    },
    backward(gates, _hPrevious, _h, cPrevious, c, dh, dc, p) {
      const { dOutput, dz } = readOut.backward(gates, c, dh);
      return readOut.gatesBackward(gates, cPrevious, dOutput, dc + dz + dOutput * p[3], p);
    },
  };
}
