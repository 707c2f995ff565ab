/**
 * Describes a recurrent cell as data. Time and tiles belong to the strategies. The arithmetic of one unit in one step
 * is in `shaders/cells/<shader>.wgsl` and in `<shader>.twin.ts` beside this file, by the same names. Gates of one unit
 * lie side by side, in the order of `gateNames`.
 */
import type { CellArithmetic } from "./arithmetic.ts";
import type { GateFunctions } from "./gate-functions.ts";
import type { Memory } from "./memory.ts";

/** Weights from a unit's c to its own gates. */
export interface PerUnit {
  /** How the parameter's name begins. */
  readonly parameter: string;
  /** The c that each gate sees, by the gate's name: the c before the step, or after it. Gates left out see none. */
  readonly sees: Readonly<Record<string, "before" | "after">>;
}

export interface Cell {
  /** Unique among all cells and their variants. */
  readonly name: string;
  /** Stem of the WGSL file in `shaders/cells/`, and of the twin. */
  readonly shader: string;
  /** Values of the shader's `override` constants that make this variant; the twin reads them too. */
  readonly constants?: Readonly<Record<string, number>>;
  /** Functions of the gates and of c, if layers can choose them; `functionsSource` names their WGSL file. */
  readonly functions?: GateFunctions;
  readonly gateNames: readonly string[];
  /** The gates that have parameters, in the order of a file's rows (default: all). The others have zeros on the device. */
  readonly parameterGates?: readonly string[];
  /** States besides h that go from step to step, by name; they share the buffer c. */
  readonly states: readonly string[];
  /** Whether the cell uses the buffer c: for these states, a by-product, or the operand of a second product. */
  readonly usesC: boolean;
  /** Whether dRecurrent differs from dGates and needs a buffer of its own. */
  readonly splitsRecurrentGradient: boolean;
  /** Each unit's own parameters, one number per gate. They lie in a row behind the packed weights. */
  readonly perUnit?: PerUnit;
  /**
   * The recurrent product that each gate takes part in; gates of the first product (0) come first. Default: all in one.
   * A candidate whose operand depends on the other gates needs a second product. A step then has two phases.
   */
  readonly gatePhases?: readonly (0 | 1)[];
  /** Gates that layer normalisation normalises together, in at most two groups (default: all that have parameters). */
  readonly normalizedTogether?: readonly (readonly string[])[];
  /**
   * Whether the arithmetic has `stateOf`, which computes the states after a step from activated gates and the states
   * before. Zoneout needs it.
   */
  readonly hasStateOf?: boolean;
  /** "none": the cell has no recurrent matrix, so the recurrent side is zeros (default "matrix"). */
  readonly recurrence?: "matrix" | "none";
  /**
   * Whether h_t = a⊙h_{t-1} + b, where gates, a and b do not depend on h_{t-1}. A scan can then take steps together.
   * Only for a cell without a recurrent matrix and without c.
   */
  readonly isLinear?: boolean;
  /** Whether h is read out of the memory (`readOut` of the arithmetic). Normalised layers normalise the memory on that way. */
  readonly hasReadOut?: boolean;
  /** WGSL and arithmetic of a user's cell; the package's cells have them in files. Without WGSL it runs on the CPU only. */
  readonly own?: { readonly wgsl: string | undefined; readonly arithmetic: CellArithmetic<Memory> };
}

/** The number of recurrent products in a step that wait for each other. */
export const phasesOf = ({ gatePhases }: Pick<Cell, "gatePhases">): 1 | 2 => (gatePhases ? 2 : 1);
