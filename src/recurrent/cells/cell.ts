/**
 * What a recurrent cell is, as data; apart from time and tiles, which are a strategy's. Its arithmetic, that of one unit
 * in one step, stands in `shaders/cells/<shader>.wgsl` and in `<shader>.twin.ts` beside this file, by the same names.
 * Gates of one unit lie side by side, in the order of `gateNames`.
 */
import type { CellArithmetic } from "./arithmetic.ts";
import type { GateFunctions } from "./gate-functions.ts";
import type { Memory } from "./memory.ts";

/** Weights from a unit's c to its own gates. */
export interface PerUnit {
  /** How the parameter's name begins. */
  readonly parameter: string;
  /** The c that each gate sees, by name: that of the step before, or that of this one; the others see none. */
  readonly sees: Readonly<Record<string, "before" | "after">>;
}

export interface Cell {
  /** Unique among all cells and their variants. */
  readonly name: string;
  /** Stem of the WGSL file in `shaders/cells/`, and of the twin. */
  readonly shader: string;
  /** Values of the shader's `override` constants that make this variant; the twin reads them too. */
  readonly constants?: Readonly<Record<string, number>>;
  /** Functions of the gates and of c, if the cell takes others than the usual ones; the shader has them from `functionsSource`. */
  readonly functions?: GateFunctions;
  readonly gateNames: readonly string[];
  /** Those of a variant that have parameters, in the order of a file's rows (default: all); the others' are zeros on the device. */
  readonly parameterGates?: readonly string[];
  /** States besides h that go from step to step, by name; they share the buffer c. */
  readonly states: readonly string[];
  /** Whether the buffer c is used at all: for these states, a by-product, or the operand of a second product. */
  readonly usesC: boolean;
  /** Whether dRecurrent differs from dGates and needs a buffer of its own. */
  readonly splitsRecurrentGradient: boolean;
  /** Parameters of each unit's own, a number for each gate, which lie in a row behind the packed weights. */
  readonly perUnit?: PerUnit;
  /**
   * The recurrent product of a step in which each gate takes part, those of the first product (0) first. Default: all in
   * one. A candidate whose operand the other gates make needs a second: a step then has two phases.
   */
  readonly gatePhases?: readonly (0 | 1)[];
  /** Gates that layer normalisation takes together, in at most two groups (default: all that have parameters). */
  readonly normalizedTogether?: readonly (readonly string[])[];
  /** Whether activated gates and the states before tell the states after (`stateOf` of the arithmetic); zoneout needs it. */
  readonly hasStateOf?: boolean;
  /** "none": there is no recurrent matrix, so that the recurrent side is zeros (default "matrix"). */
  readonly recurrence?: "matrix" | "none";
  /**
   * Of a cell without a recurrent matrix and without c: whether h_t = a⊙h_{t-1} + b with gates, a and b that do not depend
   * on h_{t-1}. A scan can take its steps together then.
   */
  readonly isLinear?: boolean;
  /** Whether h is read out of the memory, which is normalised on that way where the layer is (`readOut` of the arithmetic). */
  readonly hasReadOut?: boolean;
  /** Of a cell that the user has defined: what the package's cells have in files. Without WGSL it runs on the CPU only. */
  readonly own?: { readonly wgsl: string | undefined; readonly arithmetic: CellArithmetic<Memory> };
}

/** Recurrent products of a step, each of which needs what the one before made. */
export const phasesOf = ({ gatePhases }: Pick<Cell, "gatePhases">): 1 | 2 => (gatePhases ? 2 : 1);
