/** The options that all recurrent layers have, and their checks. */
import { checkBoolean, checkChoice, checkNumber, checkSize, reading, RnnError, show } from "../../errors.ts";
import type { Merge } from "../../nn/merge.ts";
import { takeOptions, takePlain } from "../../options.ts";
import { regularizationNames, type RegularizationOptions } from "./regularizer.ts";

/** Options of all recurrent layers, with PyTorch's meanings and defaults. */
export interface RecurrentLayerOptions extends RegularizationOptions {
  /** Layers stacked on each other (default 1, at most 1024). */
  numLayers?: number;
  /** b_ih and b_hh (true, the default), b_ih alone ("input", as in files with one bias), or none. */
  bias?: boolean | "input";
  /** Input and output [batch, steps, ·] instead of [steps, batch, ·] (default false); a single sequence is [steps, ·] in any case. */
  batchFirst?: boolean;
  /** Dropout between layers, in training (default 0). */
  dropout?: number;
  /** Whether the dropout between layers drops the same elements at every step (Gal & Ghahramani 2016; default false). */
  variational?: boolean;
  /**
   * Adds a second set of weights that reads from the last step to the first (default false). It needs whole sequences:
   * its final state belongs to the first step, so it means nothing to the next chunk.
   */
  bidirectional?: boolean;
  /**
   * The only direction reads from the last step to the first (default false), in all layers of a stack. Outputs stay in
   * the order of the input's steps (Keras' go_backwards returns them in the order of reading). The names of parameters
   * do not change. The final state belongs to the first step.
   */
  reverse?: boolean;
  /** How the outputs of both directions are merged, by Keras' names; see `Merge` (default "concat"). */
  merge?: Merge;
  /**
   * Recurrent weights from U(-1/√H, 1/√H) as PyTorch does ("uniform"), orthogonal blocks, or identities and zero
   * biases (the IRNN of Le et al. 2015, with ReLU).
   */
  recurrentInit?: "uniform" | "orthogonal" | "identity";
  /** Input weights from U(-1/√H, 1/√H), or by Glorot & Bengio (2010): variance 2 / (inputs + H) in each gate's block. */
  inputInit?: "uniform" | "glorotUniform" | "glorotNormal";
  /** The seed of the first values, an integer of at least 0; any if left out. */
  seed?: number;
}

/** The most layers of one stack. */
const mostLayers = 1024;

export const commonOptions = [
  "numLayers",
  "bias",
  "batchFirst",
  "dropout",
  "variational",
  "bidirectional",
  "reverse",
  "merge",
  "recurrentInit",
  "inputInit",
  "seed",
  ...regularizationNames,
];

/** Reads options that may have objects inside, each once, so that the layer and what describes it have the same. */
export function takeLayerOptions<T extends object>(where: string, given: T | undefined, known: readonly string[]): T {
  const options = takeOptions(where, given, known);
  const copied = Object.entries(options).map(([name, value]: [string, unknown]) =>
    // Longer lists are refused by their length.
    reading("option", where, name, () => [
      name,
      Array.isArray(value) && value.length > 2 ? value : takePlain(where, name, value, "option"),
    ]),
  );
  return Object.fromEntries(copied) as T;
}

/** Checked options, with their defaults. @throws RnnError `option` */
export function checkRecurrentOptions(where: string, options: RecurrentLayerOptions) {
  const checked = {
    numLayers: checkSize(where, "numLayers", options.numLayers ?? 1, 1, mostLayers),
    bias: takeBias(where, options.bias ?? true),
    batchFirst: checkBoolean(where, "batchFirst", options.batchFirst ?? false),
    dropout: checkNumber(where, "dropout", options.dropout ?? 0, { least: 0, most: 1 }),
    bidirectional: checkBoolean(where, "bidirectional", options.bidirectional ?? false),
    reverse: checkBoolean(where, "reverse", options.reverse ?? false),
    merge: checkChoice<Merge>(where, "merge", options.merge ?? "concat", ["concat", "sum", "mul", "average", "none"]),
    variational: checkBoolean(where, "variational", options.variational ?? false),
    recurrentInit: checkChoice(where, "recurrentInit", options.recurrentInit ?? "uniform", ["uniform", "orthogonal", "identity"]),
    inputInit: checkChoice(where, "inputInit", options.inputInit ?? "uniform", ["uniform", "glorotUniform", "glorotNormal"]),
  };
  const { numLayers, dropout, bidirectional, reverse, merge, variational } = checked;
  if (reverse && bidirectional)
    throw new RnnError("option", where, "reverse is for one direction; with bidirectional: true the second one reads backwards already");
  if (merge !== "concat" && !bidirectional)
    throw new RnnError("option", where, "merge says what becomes of two directions and needs bidirectional: true");
  if (variational && dropout === 0)
    throw new RnnError("option", where, "variational says how dropout between layers acts and needs dropout above 0");
  if (dropout > 0 && numLayers === 1) {
    throw new RnnError(
      "option",
      where,
      "dropout acts between layers and needs numLayers of at least 2; for one layer use a Dropout module after it",
    );
  }
  return checked;
}

/** @throws RnnError `option` */
export function takeBias(where: string, given: unknown): boolean | "input" {
  if (typeof given === "boolean" || given === "input") return given;
  throw new RnnError("option", where, `bias must be true, false or "input", got ${show(given)}`);
}
