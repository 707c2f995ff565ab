/** The equations of recurrent layers that ONNX has no node for: one step, as nodes. Letters: B rows, H units. */
import type { GateFunction } from "../../../recurrent/cells/gate-functions.ts";
import { refuse, type Builder } from "./builder.ts";
import type { OnnxAttribute } from "./proto.ts";
import type { Subject } from "./recurrent.ts";

/** Both sides of the gates' arguments, W·x + b_ih and U·h + b_hh; a layer that adds them up at once has no second one. */
interface Sides {
  readonly x: readonly string[];
  readonly r: readonly string[];
}

/** A cell: from the gates' arguments and the states before to the states after. All are names of values [B, ·]. */
export type Equations = (write: Writer, gates: readonly string[], states: readonly string[], sides: Sides) => readonly string[];

/** Writes equations of one step. */
export class Writer {
  constructor(
    private readonly build: Builder,
    private readonly path: string,
  ) {}

  /** A node with an operator of ONNX; numbers are constants. */
  readonly on = (operator: string, ...inputs: readonly (string | number)[]): string =>
    this.build.node(
      this.path,
      operator,
      inputs.map((input) => (typeof input === "number" ? this.build.number(input) : input)),
    );

  /** A gate's function. */
  of({ name, alpha, beta }: GateFunction, x: string): string {
    const { on } = this;
    const node = (attributes: Readonly<Record<string, OnnxAttribute>>): string => this.build.node(this.path, name, [x], attributes);
    if (name === "Affine") return on("Add", on("Mul", x, alpha), beta);
    if (name === "ScaledTanh") return on("Mul", on("Tanh", on("Mul", x, beta)), alpha);
    if (name === "HardSigmoid") return node({ alpha: { f: alpha }, beta: { f: beta } });
    return node(["LeakyRelu", "Elu", "ThresholdedRelu"].includes(name) ? { alpha: { f: alpha } } : {});
  }

  /** The numbers of a row normalised, with gain and bias. */
  normalized(x: string, gain: string, bias: string): string {
    return this.build.node(this.path, "LayerNormalization", [x, gain, bias], { axis: { i: -1 }, epsilon: { f: 1e-5 } });
  }

  /** share·one + (1 - share)·other */
  mixed(share: string, one: string, other: string): string {
    const { on } = this;
    return on("Add", on("Mul", share, one), on("Mul", on("Sub", 1, share), other));
  }
}

/** φ of minimal layers. */
const candidate =
  (kind: unknown) =>
  ({ on }: Writer, a: string): string =>
    kind === "linear" ? a : on("Where", on("GreaterOrEqual", a, 0), on("Add", a, 0.5), on("Sigmoid", a));

/** The greatest argument of exp. */
const mostExponent = 80;

const slstm =
  (forgetGate: unknown): Equations =>
  ({ on }, [logI, f, z, o], [, c, n, m]) => {
    const logF = forgetGate === "exponential" ? f : on("Sub", on("Min", f, 0), on("Log", on("Add", 1, on("Exp", on("Neg", on("Abs", f))))));
    const before = on("Add", logF, m);
    const kept = on("And", on("Greater", before, logI), on("Greater", n, 0));
    const stabiliser = on("Where", kept, before, logI);
    const i = on("Exp", on("Sub", logI, stabiliser));
    const forget = on("Exp", on("Min", on("Sub", before, stabiliser), mostExponent));
    const memory = on("Add", on("Mul", forget, c), on("Mul", i, on("Tanh", z)));
    const norm = on("Add", on("Mul", forget, n), i);
    return [on("Div", on("Mul", on("Sigmoid", o), memory), norm), memory, norm, stabiliser];
  };

/** The equations of an RNN, a GRU or an LSTM in one direction. */
function gated(build: Builder, { path, kind, layer, options }: Subject, direction: number, suffix: string): Equations {
  const { gates, candidate: written, output, clip } = layer.gateFunctions![direction];
  const clipped = ({ on }: Writer, a: string): string => (clip > 0 ? on("Clip", a, -clip, clip) : a);
  if (kind === "RNN") return (write, [a]) => [write.of(written, clipped(write, a))];
  if (kind === "GRU")
    return (write, sums, [h], { x, r }) => {
      const at = sums.length - 2;
      const argument = clipped(write, sums[at]);
      const z = write.of(gates, options.updateGate === "writes" ? write.on("Neg", argument) : argument);
      const reset = at === 0 ? undefined : write.of(gates, clipped(write, sums[0]));
      const last = at + 1;
      const n = reset === undefined ? sums[last] : write.on("Add", x[last], write.on("Mul", reset, r[last]));
      return [write.mixed(z, h, write.of(written, clipped(write, n)))];
    };
  const H = layer.hiddenSize;
  const own = options.forgetGate === "gate";
  const peepholes = build.parameters.get(`${path}weight_ch_${suffix}`);
  const vector = (name: string, from: ArrayLike<number>): string => build.numbers(`${path}${suffix}.${name}`, [H], Float32Array.from(from));
  const p = peepholes && Array.from({ length: own ? 3 : 2 }, (_, i) => vector(`p${i}`, peepholes.subarray(i * H, (i + 1) * H)));
  const gain = build.parameters.get(`${path}gain_c_${suffix}`);
  const norm = gain && [vector("gain_c", gain), vector("bias_c", build.parameters.get(`${path}bias_c_${suffix}`) ?? new Float32Array(H))];
  return (write, sums, [, c]) => {
    const { on } = write;
    const gate = (i: number, seen: number, memory: string): string =>
      write.of(gates, clipped(write, p ? on("Add", sums[i], on("Mul", p[seen], memory)) : sums[i]));
    const last = sums.length - 1;
    const i = gate(0, 0, c);
    const kept = own ? on("Mul", gate(1, 1, c), c) : options.forgetGate === "coupled" ? on("Mul", on("Sub", 1, i), c) : c;
    const memory = on("Add", kept, on("Mul", i, write.of(written, clipped(write, sums[last - 1]))));
    const read = norm ? write.normalized(memory, norm[0], norm[1]) : memory;
    return [on("Mul", gate(last, own ? 2 : 1, memory), write.of(output, read)), memory];
  };
}

/** @throws RnnError `option` if the layer's equations are not known */
export function equationsOf(build: Builder, subject: Subject, direction: number, suffix: string): Equations {
  const { path, kind, layer, options } = subject;
  const phi = candidate(options.candidate);
  if (kind === "MinGRU") return (write, [z, n], [h]) => [write.mixed(write.on("Sigmoid", z), phi(write, n), h)];
  if (kind === "MinLSTM")
    return (write, [f, i, g], [h]) => {
      const [forget, input] = [write.on("Sigmoid", f), write.on("Sigmoid", i)];
      return [write.mixed(write.on("Div", input, write.on("Add", forget, input)), phi(write, g), h)];
    };
  if (kind === "SLSTM") return slstm(options.forgetGate);
  if (!layer.gateFunctions) return refuse(path, kind, "ONNX has no node for it, and its equations are not known");
  return gated(build, subject, direction, suffix);
}
