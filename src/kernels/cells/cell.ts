/**
 * What a recurrent cell is, apart from time and tiles: the arithmetic of one unit in one step. A strategy
 * (`recurrent/`) loops over batch, units and time and calls these; the WGSL in `shaders/cells/` has the same
 * functions. Gates of one unit lie side by side, in the order of `gateNames`.
 */

/** The G gate values of one unit, in the order of the cell's gateNames. */
export type Gates = readonly number[];

export interface CellForward {
  /** Activated gates, kept for the backward pass. */
  gates: Gates;
  h: number;
  /** The unit's second value: LSTM its memory c_t; GRU the recurrent half of its candidate; else 0. */
  c: number;
}

export interface CellBackward {
  /** ∂L/∂(pre-activations on the input side), G values. */
  dGates: Gates;
  /** ∂L/∂(pre-activations on the recurrent side), G values; the same as dGates but for GRU. */
  dRecurrent: Gates;
  /** What reaches ∂L/∂h_{t-1} unit by unit, apart from the recurrent product. */
  dhPrevious: number;
  dcPrevious: number;
}

/** The way from an LSTM's memory to h, for norms that stand in it. */
export interface ReadOut {
  /** @param z c_t, or what a norm made of it */
  forward(gates: Gates, z: number): number;
  /** ∂L/∂(the output gate's sum), and ∂L/∂z. */
  backward(gates: Gates, z: number, dh: number): { dOutput: number; dz: number };
  /** The cell's gradients from that of the output gate's sum and that of c_t. */
  gatesBackward(gates: Gates, cPrevious: number, dOutput: number, dcTotal: number, peepholes: Gates): CellBackward;
}

export interface Cell {
  readonly name: string;
  /** Stem of the WGSL file in `shaders/cells/`. */
  readonly shader: string;
  /** What that file would say, of a cell that is not the package's. */
  readonly wgsl?: string;
  /** Values of the shader's `override` constants that make this variant. */
  readonly constants?: Readonly<Record<string, number>>;
  readonly gateNames: readonly string[];
  /** Those of a variant that have parameters, in the order of a file's rows (default: all); the others' are zeros on the device. */
  readonly parameterGates?: readonly string[];
  /** Whether c is a state carried from step to step (LSTM) rather than a by-product. */
  readonly hasMemory: boolean;
  /** Whether c is used at all. */
  readonly usesC: boolean;
  /** Whether dRecurrent differs from dGates and needs a buffer of its own. */
  readonly splitsRecurrentGradient: boolean;
  /** Whether a row of weights from each unit's c to its own gates lies behind the packed ones. */
  readonly hasPeepholes?: boolean;
  /** Gates that layer normalisation takes together, in at most two groups (default: all that have parameters). */
  readonly normalizedTogether?: readonly (readonly string[])[];
  /** What activated gates make of the state before: h_t, and c_t of a cell with memory. Zoneout needs it. */
  stateOf?(gates: Gates, hPrevious: number, cPrevious: number): { h: number; c: number };
  /** Set if the memory is normalised on its way to h where the layer is. */
  readonly readOut?: ReadOut;
  /**
   * @param x input-side pre-activations W·x_t + b_ih, G values
   * @param r recurrent-side pre-activations U·h_{t-1} + b_hh, G values
   * @param peepholes weights from c to the gates, G values; zeros for a cell without them
   */
  forward(x: Gates, r: Gates, hPrevious: number, cPrevious: number, peepholes: Gates): CellForward;
  backward(gates: Gates, hPrevious: number, h: number, cPrevious: number, c: number, dh: number, dc: number, peepholes: Gates): CellBackward;
}
