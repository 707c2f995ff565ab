/** The arithmetic of lstm.ts. */
import type { CellArithmetic, ReadOut } from "./arithmetic.ts";
import type { FunctionTwins } from "./gate-functions.twin.ts";

export function lstmArithmetic(
  { forgets, coupled }: Readonly<Record<string, number>>,
  { gate, candidate, output }: FunctionTwins,
): CellArithmetic {
  const readOut: ReadOut = {
    forward: ([, , , o], z) => o * output.of(z),
    backward([, , , o], z, dh) {
      const out = output.of(z);
      return { dOutput: gate.gradient(dh * out, o), dz: output.gradient(dh * o, out) };
    },
    gatesBackward([i, f, g], cPrevious, dOutput, dcTotal, p) {
      const dInput = gate.gradient(dcTotal * (coupled ? g - cPrevious : g), i);
      const dForget = forgets ? gate.gradient(dcTotal * cPrevious, f) : 0;
      const dGates = [dInput, dForget, candidate.gradient(dcTotal * i, g), dOutput];
      return { dGates, dRecurrent: dGates, dhPrevious: 0, dcPrevious: dcTotal * f + dInput * p[0] + dForget * p[1] };
    },
  };
  return {
    readOut,
    forward(x, r, _hPrevious, cPrevious, p) {
      const i = gate.of(x[0] + r[0] + p[0] * cPrevious);
      const f = coupled ? 1 - i : forgets ? gate.of(x[1] + r[1] + p[1] * cPrevious) : 1;
      const g = candidate.of(x[2] + r[2]);
      const c = f * cPrevious + i * g;
      const gates = [i, f, g, gate.of(x[3] + r[3] + p[3] * c)];
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
