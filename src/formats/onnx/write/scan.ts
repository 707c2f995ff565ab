/**
 * Recurrent layers that ONNX has no node for, as `Scan` over their equations. Letters: D directions, T steps, B rows,
 * H units, P numbers of h, G gates.
 */
import { functionName } from "../../../recurrent/cells/gate-functions.ts";
import { refuse, type Builder, type Wire } from "./builder.ts";
import type { Subject } from "./recurrent.ts";

/** A cell: from the gates' arguments and the states before to the states after. All are names of values [B, ·]. */
type Equations = (write: Writer, gates: readonly string[], states: readonly string[]) => readonly string[];

/** Writes equations of one step. */
class Writer {
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

/** An LSTM whose h the caller projects. */
const lstm: Equations = ({ on }, [i, f, g, o], [, c]) => {
  const memory = on("Add", on("Mul", on("Sigmoid", f), c), on("Mul", on("Sigmoid", i), on("Tanh", g)));
  return [on("Mul", on("Sigmoid", o), on("Tanh", memory)), memory];
};

function equationsOf({ path, kind, layer, options }: Subject): Equations {
  const phi = candidate(options.candidate);
  if (kind === "MinGRU") return (write, [z, n], [h]) => [write.mixed(write.on("Sigmoid", z), phi(write, n), h)];
  if (kind === "MinLSTM")
    return (write, [f, i, g], [h]) => {
      const [forget, input] = [write.on("Sigmoid", f), write.on("Sigmoid", i)];
      return [write.mixed(write.on("Div", input, write.on("Add", forget, input)), phi(write, g), h)];
    };
  if (kind === "SLSTM") return slstm(options.forgetGate);
  if (kind !== "LSTM") return refuse(path, kind, "ONNX has no node for it, and its equations are not known");
  const chosen = layer.gateFunctions!.flatMap(({ gates, candidate: of, output, clip }) => [
    ...[gates, of, output].map(functionName),
    ...(clip > 0 ? ["clip"] : []),
  ]);
  const unusual = chosen.find((name, i) => name !== ["sigmoid", "tanh", "tanh"][i % 3]);
  if (unusual !== undefined) return refuse(path, kind, `projSize together with ${unusual} is not written`);
  if (options.forgetGate !== "gate")
    return refuse(path, kind, `projSize together with forgetGate: "${String(options.forgetGate)}" is not written`);
  if (options.peepholes === true) return refuse(path, kind, "projSize together with peepholes is not written");
  return lstm;
}

/** A matrix [rows, columns] as [columns, rows]; `heads` blocks of columns stand for a matrix with zeros besides. */
function transposed(data: ArrayLike<number>, rows: number, columns: number, heads = 1, H = rows): Float32Array {
  const result = new Float32Array(rows * columns * heads);
  for (let row = 0; row < rows; row++) {
    const head = Math.floor(((row % H) * heads) / H);
    for (let column = 0; column < columns; column++) result[(head * columns + column) * rows + row] = data[row * columns + column];
  }
  return result;
}

/** W, U and the sum of biases of one direction, as names of tensors. */
function weightsOf(
  build: Builder,
  { path, layer }: Subject,
  suffix: string,
  inputs: number,
): { W: string; U: string | undefined; b: string | undefined } {
  const { hiddenSize: H, outputSize: P, heads, bias } = layer;
  const weight = build.parameter(`${path}weight_ih_${suffix}`);
  const rows = weight.length / inputs;
  const recurrent = build.parameters.get(`${path}weight_hh_${suffix}`);
  const name = `${path}${suffix}`;
  const sum = Float32Array.from({ length: rows }, (_, i) =>
    ["bias_ih", "bias_hh"].reduce((all, of) => all + (build.parameters.get(`${path}${of}_${suffix}`)?.[i] ?? 0), 0),
  );
  return {
    W: build.numbers(`${name}.W`, [inputs, rows], transposed(weight, rows, inputs)),
    U: recurrent && build.numbers(`${name}.U`, [P, rows], transposed(recurrent, rows, P / heads, heads, H)),
    b: bias === false ? undefined : build.numbers(`${name}.b`, [rows], sum),
  };
}

/** [T, B, 1]: whether a row has a step. */
function maskOf(build: Builder, path: string, x: string, lengths: string): string {
  const steps = build.node(path, "Squeeze", [build.node(path, "Shape", [x], { start: { i: 0 }, end: { i: 1 } })]);
  const range = build.node(path, "Range", [build.integer(0), steps, build.integer(1)]);
  const whole = build.node(path, "Cast", [lengths], { to: { i: 7 } });
  const less = build.node(path, "Less", [build.node(path, "Unsqueeze", [range, build.integers([1])]), whole]);
  return build.node(path, "Unsqueeze", [less, build.integers([2])]);
}

/** The graph of one step. */
function bodyOf(
  build: Builder,
  { path, layer }: Subject,
  equations: Equations,
  names: { readonly U: string | undefined; readonly projection: string | undefined; readonly masked: boolean },
): Builder {
  const body = build.inner();
  const write = new Writer(body, path);
  const { stateNames, hiddenSize: H, outputSize: P } = layer;
  const sizes = stateNames.map((state) => ["batch", state === "h" ? P : H]);
  const before = stateNames.map((state, i) => {
    body.inputs.push({ name: `${path}before.${state}`, type: "float", sizes: sizes[i] });
    return `${path}before.${state}`;
  });
  const x = `${path}step.x`;
  const mask = `${path}step.mask`;
  body.inputs.push({ name: x, type: "float", sizes: undefined });
  if (names.masked) body.inputs.push({ name: mask, type: "bool", sizes: undefined });
  const sum = names.U === undefined ? x : write.on("Add", x, write.on("MatMul", before[0], names.U));
  const G = body.parameter(`${path}weight_ih_l0`).length / layer.inputSize / H;
  const gates = body.nodeOf(path, "Split", [sum, body.integers(Array.from({ length: G }, () => H))], G, { axis: { i: -1 } });
  const made = equations(write, gates, before);
  const after = names.projection === undefined ? made : [write.on("MatMul", made[0], names.projection), ...made.slice(1)];
  const kept = names.masked ? after.map((value, i) => write.on("Where", mask, value, before[i])) : after;
  kept.forEach((value, i) => body.finish(path, value, { name: `${path}after.${stateNames[i]}`, type: "float", sizes: sizes[i] }));
  const y = names.masked ? write.on("Where", mask, after[0], 0) : after[0];
  body.finish(path, y, { name: `${path}step.y`, type: "float", sizes: sizes[0] });
  return body;
}

/** Zeros [B, size] for the rows of x [T, B, ·]. */
function zeros(build: Builder, path: string, x: string, size: number): string {
  const rows = build.node(path, "Shape", [x], { start: { i: 1 }, end: { i: 2 } });
  return build.node(path, "ConstantOfShape", [build.node(path, "Concat", [rows, build.integers([size])], { axis: { i: 0 } })]);
}

/** What a layer of a stack reads. */
export interface Scanned {
  /** Its place in the stack. */
  readonly k: number;
  /** [T, B, ·] */
  readonly input: Wire;
  /** Names of the initial states [D, B, ·]; "" for zeros. */
  readonly starts: readonly string[];
  readonly lengths: string | undefined;
}

/** One layer of a stack: y [T, D, B, P] and the final states [D, B, ·]. @throws RnnError `option` for unknown equations */
export function scanned(build: Builder, subject: Subject, { k, input, starts, lengths }: Scanned): { y: Wire; ends: string[] } {
  const equations = equationsOf(subject);
  const { path, layer } = subject;
  const { directions: D, hiddenSize: H, outputSize: P, stateNames } = layer;
  const [T, B, inputs] = input.sizes;
  const mask = lengths === undefined ? undefined : maskOf(build, path, input.name, lengths);
  const lanes = Array.from({ length: D }, (_, d) => {
    const suffix = d === 0 ? `l${k}` : `l${k}_reverse`;
    const { W, U, b } = weightsOf(build, subject, suffix, inputs as number);
    const product = build.node(path, "MatMul", [input.name, W]);
    const x = b === undefined ? product : build.node(path, "Add", [product, b]);
    const projection =
      P === H
        ? undefined
        : build.numbers(`${path}${suffix}.projection`, [H, P], transposed(build.parameter(`${path}weight_hr_${suffix}`), P, H));
    const first = starts.map((start, s) => {
      const size = stateNames[s] === "h" ? P : H;
      return start === "" ? zeros(build, path, input.name, size) : build.at(path, { name: start, sizes: [D, B, size] }, 0, d).name;
    });
    const body = bodyOf(build, subject, equations, { U, projection, masked: mask !== undefined });
    const reads = mask === undefined ? [x] : [x, mask];
    const backwards = layer.reverse || d === 1 ? 1 : 0;
    return build.nodeOf(path, "Scan", [...first, ...reads], stateNames.length + 1, {
      body: { g: body.graph(`${path}${suffix}.step`) },
      num_scan_inputs: { i: reads.length },
      scan_input_directions: { ints: reads.map(() => backwards) },
      scan_output_directions: { ints: [backwards] },
    });
  });
  const stacked = (values: readonly string[], axis: number): string => {
    const lifted = values.map((value) => build.node(path, "Unsqueeze", [value, build.integers([axis])]));
    return lifted.length === 1 ? lifted[0] : build.node(path, "Concat", lifted, { axis: { i: axis } });
  };
  const ends = stateNames.map((_, s) =>
    stacked(
      lanes.map((outputs) => outputs[s]),
      0,
    ),
  );
  return {
    y: {
      name: stacked(
        lanes.map((outputs) => outputs[stateNames.length]),
        1,
      ),
      sizes: [T, D, B, P],
    },
    ends,
  };
}
