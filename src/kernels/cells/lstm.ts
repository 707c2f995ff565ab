import { safeTanh, sigmoid } from "../activations.ts";
import type { Cell, ReadOut } from "./cell.ts";

export interface LstmVariant {
  /** "gate" as below; "coupled" f = 1 - i; "none" f = 1, the constant error carousel of 1997. */
  readonly forgetGate: "gate" | "coupled" | "none";
  /** h_t = o⊙tanh(c_t), or o⊙c_t. */
  readonly outputActivation: "tanh" | "identity";
  /** Whether i and f see c_{t-1}, and o sees c_t (Gers & Schmidhuber 2000). */
  readonly peepholes: boolean;
}

/**
 * Long short-term memory (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000), as in PyTorch:
 * i, f, o = σ(x + r);  g = tanh(x + r);  c_t = f⊙c_{t-1} + i⊙g;  h_t = o⊙tanh(c_t).
 * With peepholes p⊙c_{t-1} is added in the σ of i and f, p⊙c_t in that of o. A forget gate that is no gate has a
 * gradient of 0: what reaches it goes to i, or nowhere.
 */
export function lstmCell({ forgetGate, outputActivation, peepholes }: LstmVariant): Cell {
  const coupled = forgetGate === "coupled";
  const squashes = outputActivation === "tanh";
  const output = squashes ? safeTanh : (c: number) => c;
  const readOut: ReadOut = {
    forward: ([, , , o], z) => o * output(z),
    backward([, , , o], z, dh) {
      const out = output(z);
      return { dOutput: dh * out * o * (1 - o), dz: dh * o * (squashes ? 1 - out * out : 1) };
    },
    gatesBackward([i, f, g], cPrevious, dOutput, dcTotal, p) {
      const dInput = dcTotal * (coupled ? g - cPrevious : g) * i * (1 - i);
      const dForget = forgetGate === "gate" ? dcTotal * cPrevious * f * (1 - f) : 0;
      const dGates = [dInput, dForget, dcTotal * i * (1 - g * g), dOutput];
      return { dGates, dRecurrent: dGates, dhPrevious: 0, dcPrevious: dcTotal * f + dInput * p[0] + dForget * p[1] };
    },
  };
  return {
    name: ["lstm", ...(forgetGate === "gate" ? [] : [forgetGate]), ...(squashes ? [] : ["identity"]), ...(peepholes ? ["peepholes"] : [])].join("-"),
    shader: "lstm",
    constants: { forgets: forgetGate === "gate" ? 1 : 0, coupled: coupled ? 1 : 0, squashes: squashes ? 1 : 0, hasPeepholes: peepholes ? 1 : 0 },
    gateNames: ["i", "f", "g", "o"],
    parameterGates: forgetGate === "gate" ? undefined : ["i", "g", "o"],
    hasMemory: true,
    usesC: true,
    splitsRecurrentGradient: false,
    hasPeepholes: peepholes,
    readOut,
    forward(x, r, _hPrevious, cPrevious, p) {
      const i = sigmoid(x[0] + r[0] + p[0] * cPrevious);
      const f = coupled ? 1 - i : forgetGate === "none" ? 1 : sigmoid(x[1] + r[1] + p[1] * cPrevious);
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

/** PyTorch's. */
export const lstm = lstmCell({ forgetGate: "gate", outputActivation: "tanh", peepholes: false });
