/**
 * Recurrent layers that ONNX has no node for, as `Scan` over their equations. Letters: D directions, T steps, B rows,
 * H units, P numbers of h, G gates.
 */
import type { Builder, Wire } from "./builder.ts";
import { equationsOf, Writer, type Equations } from "./equations.ts";
import type { Subject } from "./recurrent.ts";

/** Shares of the states before that zoneout keeps in inference, by the states' places. */
function zoneoutOf({ layer, options: { zoneout = 0 } }: Subject): readonly number[] {
  const shares = typeof zoneout === "number" ? undefined : (zoneout as Readonly<Record<string, number | undefined>>);
  return layer.stateNames.map((state) => (shares ? (shares[state] ?? 0) : (zoneout as number)));
}

/** The widths of what is normalised together: of a GRU, the candidate by itself. */
function normGroups({ kind, layer: { hiddenSize: H } }: Subject, rows: number): readonly number[] {
  return kind === "GRU" ? [rows - H, H] : [rows];
}

/** γ⊙N(value) + b, or value + b where nothing is normalised. @param side "ih" or "hh" */
function side(build: Builder, subject: Subject, suffix: string, which: "ih" | "hh", value: string, rows: number): string {
  const { path } = subject;
  const write = new Writer(build, path);
  const bias = build.parameters.get(`${path}bias_${which}_${suffix}`);
  const gain = build.parameters.get(`${path}gain_${which}_${suffix}`);
  const part = (of: string, from: ArrayLike<number>): string =>
    build.numbers(`${path}${suffix}.${of}_${which}`, [from.length], Float32Array.from(from));
  if (!gain) return bias ? write.on("Add", value, part("bias", bias)) : value;
  const widths = normGroups(subject, rows);
  const parts =
    widths.length === 1 ? [value] : build.nodeOf(path, "Split", [value, build.integers(widths)], widths.length, { axis: { i: -1 } });
  let start = 0;
  const normalized = parts.map((one, i) => {
    const [from, to] = [start, (start += widths[i])];
    const shift = bias?.subarray(from, to) ?? new Float32Array(to - from);
    return write.normalized(one, part(`gain${i}`, gain.subarray(from, to)), part(`bias${i}`, shift));
  });
  return normalized.length === 1 ? normalized[0] : build.node(path, "Concat", normalized, { axis: { i: -1 } });
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

/** W and U of one direction, as names of tensors. */
function weightsOf(
  build: Builder,
  { path, layer }: Subject,
  suffix: string,
  inputs: number,
): { W: string; U: string | undefined; rows: number } {
  const { hiddenSize: H, outputSize: P, heads } = layer;
  const weight = build.parameter(`${path}weight_ih_${suffix}`);
  const rows = weight.length / inputs;
  const recurrent = build.parameters.get(`${path}weight_hh_${suffix}`);
  const name = `${path}${suffix}`;
  return {
    W: build.numbers(`${name}.W`, [inputs, rows], transposed(weight, rows, inputs)),
    U: recurrent && build.numbers(`${name}.U`, [P, rows], transposed(recurrent, rows, P / heads, heads, H)),
    rows,
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
  subject: Subject,
  equations: Equations,
  names: { readonly U: string | undefined; readonly projection: string | undefined; readonly masked: boolean; readonly suffix: string },
): Builder {
  const { path, layer } = subject;
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
  const G = body.parameter(`${path}weight_ih_l0`).length / layer.inputSize / H;
  const split = (value: string): string[] =>
    G === 1 ? [value] : body.nodeOf(path, "Split", [value, body.integers(Array.from({ length: G }, () => H))], G, { axis: { i: -1 } });
  const r = names.U === undefined ? undefined : side(body, subject, names.suffix, "hh", write.on("MatMul", before[0], names.U), G * H);
  const sides = { x: split(x), r: r === undefined ? [] : split(r) };
  const gates = r === undefined ? sides.x : sides.x.map((one, i) => write.on("Add", one, sides.r[i]));
  const made = equations(write, gates, before, sides);
  const after = names.projection === undefined ? made : [write.on("MatMul", made[0], names.projection), ...made.slice(1)];
  const shares = zoneoutOf(subject);
  const mixed = after.map((value, i) =>
    shares[i] > 0 ? write.on("Add", write.on("Mul", before[i], shares[i]), write.on("Mul", value, 1 - shares[i])) : value,
  );
  const kept = names.masked ? mixed.map((value, i) => write.on("Where", mask, value, before[i])) : mixed;
  kept.forEach((value, i) => body.finish(path, value, { name: `${path}after.${stateNames[i]}`, type: "float", sizes: sizes[i] }));
  const y = names.masked ? write.on("Where", mask, mixed[0], 0) : mixed[0];
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
  const { path, layer } = subject;
  const { directions: D, hiddenSize: H, outputSize: P, stateNames } = layer;
  const [T, B, inputs] = input.sizes;
  const mask = lengths === undefined ? undefined : maskOf(build, path, input.name, lengths);
  const lanes = Array.from({ length: D }, (_, d) => {
    const suffix = d === 0 ? `l${k}` : `l${k}_reverse`;
    const { W, U, rows } = weightsOf(build, subject, suffix, inputs as number);
    const x = side(build, subject, suffix, "ih", build.node(path, "MatMul", [input.name, W]), rows);
    const equations = equationsOf(build, subject, d, suffix);
    const projection =
      P === H
        ? undefined
        : build.numbers(`${path}${suffix}.projection`, [H, P], transposed(build.parameter(`${path}weight_hr_${suffix}`), P, H));
    const first = starts.map((start, s) => {
      const size = stateNames[s] === "h" ? P : H;
      return start === "" ? zeros(build, path, input.name, size) : build.at(path, { name: start, sizes: [D, B, size] }, 0, d).name;
    });
    const body = bodyOf(build, subject, equations, { U, projection, masked: mask !== undefined, suffix });
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
