/**
 * Weights as course notes stack them: one matrix W_f [H, H + I] for each gate, on [a⟨t-1⟩, x⟨t⟩] side by side, and one
 * bias, instead of PyTorch's two matrices with the gates on top of each other.
 */
import { checkChoice, checkInteger, clip, RnnError, show } from "../errors.ts";
import { takeEntries } from "../options.ts";
import { finite, takeTensor, type TensorLike } from "../tensor/take.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** The cell; "gru" has the reset before the product, `new GRU(…, { reset: "before" })`. */
export type StackedCell = "rnn" | "gru" | "lstm";

interface Gate {
  /** `W_<name>` and `b_<name>` in the notes. */
  readonly name: string;
  /** -1 where the notes' gate is 1 minus PyTorch's: σ(-s) = 1 - σ(s). */
  readonly sign: 1 | -1;
}

/** In PyTorch's order. */
const gatesOf: Record<StackedCell, readonly Gate[]> = {
  rnn: [{ name: "a", sign: 1 }],
  gru: [
    { name: "r", sign: 1 },
    { name: "u", sign: -1 },
    { name: "c", sign: 1 },
  ],
  lstm: [
    { name: "u", sign: 1 },
    { name: "f", sign: 1 },
    { name: "c", sign: 1 },
    { name: "o", sign: 1 },
  ],
};

type Tensors = Readonly<Record<string, TensorLike>>;

function taken(where: string, from: Tensors, name: string, shape?: readonly number[]): Tensor {
  if (!Object.hasOwn(from, name)) throw new RnnError("format", where, `lacks "${clip(name)}"`);
  return takeTensor(where, `"${name}"`, from[name], finite, shape);
}

function takeDict(where: string, given: unknown, suffix: unknown): Tensors {
  if (typeof suffix !== "string") throw new RnnError("option", where, `suffix must be a text like "l0", got ${show(suffix)}`);
  return Object.fromEntries(takeEntries(where, "weights", "tensors by name", given, "format")) as Tensors;
}

function matrix(where: string, from: Tensors, name: string): Tensor {
  const found = taken(where, from, name);
  if (found.shape.length !== 2) throw new RnnError("shape", where, `"${name}" must have two axes, got [${found.shape.join(", ")}]`);
  return found;
}

/**
 * Converts PyTorch's arrays of one layer to the stacked form of course notes: `W_a`, `b_a` of an RNN; `W_r`, `W_u`,
 * `W_c` and biases of a GRU;
 * `W_u`, `W_f`, `W_c`, `W_o` and biases of an LSTM. W_a = [W_aa, W_ax]; the bias is the sum of PyTorch's two.
 * @param suffix of PyTorch's names (default "l0"; "l0_reverse" is the second direction)
 * @throws RnnError `format` or `shape` if an array is missing or does not fit, or if the layer has others besides
 */
export function stackWeights(cell: StackedCell, given: Tensors, suffix = "l0"): Record<string, Tensor<Float64Array>> {
  const where = "stackWeights";
  const gates = gatesOf[checkChoice(where, "cell", cell, ["rnn", "gru", "lstm"])];
  const dict = takeDict(where, given, suffix);
  const W_x = matrix(where, dict, `weight_ih_${suffix}`);
  const arrays = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"].map((name) => `${name}_${suffix}`);
  const other = Object.keys(dict).find((name) => name.endsWith(`_${suffix}`) && !arrays.includes(name));
  if (other !== undefined)
    throw new RnnError(
      "format",
      where,
      `cannot stack "${other}": notes have no place for peepholes, projections, gains and running statistics`,
    );
  const [rows, I] = W_x.shape;
  const H = rows / gates.length;
  if (!Number.isInteger(H))
    throw new RnnError("shape", where, `"weight_ih_${suffix}" must have rows for ${gates.length} gates, got ${rows}`);
  const W_a = taken(where, dict, `weight_hh_${suffix}`, [rows, H]);
  const biases = [`bias_ih_${suffix}`, `bias_hh_${suffix}`]
    .filter((name) => Object.hasOwn(dict, name))
    .map((name) => taken(where, dict, name, [rows]));
  const result: Record<string, Tensor<Float64Array>> = {};
  gates.forEach(({ name, sign }, g) => {
    const row = (i: number): number => g * H + Math.floor(i / (H + I));
    const valueAt = (i: number): number =>
      i % (H + I) < H ? W_a.data[row(i) * H + (i % (H + I))] : W_x.data[row(i) * I + (i % (H + I)) - H];
    result[`W_${name}`] = { shape: [H, H + I], data: Float64Array.from({ length: H * (H + I) }, (_, i) => sign * valueAt(i)) };
    result[`b_${name}`] = {
      shape: [H],
      data: Float64Array.from({ length: H }, (_, i) => sign * biases.reduce((sum, { data }) => sum + data[g * H + i], 0)),
    };
  });
  return result;
}

/**
 * Converts arrays that are stacked as in course notes to PyTorch's arrays of one layer, for `loadStateDict`. `bias_ih`
 * gets the whole bias; `bias_hh` is zero.
 * @throws RnnError `format` or `shape` if an array is missing or does not fit
 */
export function unstackWeights(cell: StackedCell, given: Tensors, suffix = "l0"): Record<string, Tensor<Float64Array>> {
  const where = "unstackWeights";
  const gates = gatesOf[checkChoice(where, "cell", cell, ["rnn", "gru", "lstm"])];
  const notes = takeDict(where, given, suffix);
  const first = matrix(where, notes, `W_${gates[0].name}`);
  const [H, both] = first.shape;
  const I = checkInteger(where, `columns of "W_${gates[0].name}" on x`, both - H, 1);
  const rows = gates.length * H;
  const [W_x, W_a, bias] = [new Float64Array(rows * I), new Float64Array(rows * H), new Float64Array(rows)];
  gates.forEach(({ name, sign }, g) => {
    const { data } = g === 0 ? first : taken(where, notes, `W_${name}`, [H, both]);
    const { data: b } = taken(where, notes, `b_${name}`, [H]);
    for (let j = 0; j < H; j++) {
      for (let k = 0; k < both; k++) {
        const value = sign * data[j * both + k];
        if (k < H) W_a[(g * H + j) * H + k] = value;
        else W_x[(g * H + j) * I + k - H] = value;
      }
      bias[g * H + j] = sign * b[j];
    }
  });
  return {
    [`weight_ih_${suffix}`]: { shape: [rows, I], data: W_x },
    [`weight_hh_${suffix}`]: { shape: [rows, H], data: W_a },
    [`bias_ih_${suffix}`]: { shape: [rows], data: bias },
    [`bias_hh_${suffix}`]: { shape: [rows], data: new Float64Array(rows) },
  };
}
