/** The arithmetic of one unit in one step, as the twins of the recurrent kernels call it. */

/** The G gate values of one unit, in the order of the cell's gateNames. */
export type Gates = readonly number[];

export interface CellForward<M = number> {
  /** Activated gates, kept for the backward pass. */
  gates: Gates;
  h: number;
  /**
   * The unit's memory (c_t of an LSTM), or a number for the backward pass (of a GRU, the recurrent half of its
   * candidate); else 0.
   */
  c: M;
}

export interface CellBackward<M = number> {
  /** ∂L/∂(pre-activations on the input side), G values. */
  dGates: Gates;
  /** ∂L/∂(pre-activations on the recurrent side), G values; the same as dGates unless the cell splits them, as a GRU does. */
  dRecurrent: Gates;
  /** The part of ∂L/∂h_{t-1} that does not come through the recurrent product. */
  dhPrevious: number;
  dcPrevious: M;
}

/** The way from an LSTM's memory to h, where a norm may act. */
export interface ReadOut {
  /** @param z c_t, or its normalised value */
  forward(gates: Gates, z: number): number;
  /** ∂L/∂(the output gate's sum), and ∂L/∂z. */
  backward(gates: Gates, z: number, dh: number): { dOutput: number; dz: number };
  /** The cell's gradients, from those of the output gate's sum and of c_t. */
  gatesBackward(gates: Gates, cPrevious: number, dOutput: number, dcTotal: number, perUnit: Gates): CellBackward;
}

/** The arithmetic of a cell with one recurrent product per step. M is the type of a unit's memory (see `memory.ts`). */
export interface CellArithmetic<M = number> {
  /**
   * @param x input-side pre-activations W·x_t + b_ih, G values
   * @param r recurrent-side pre-activations U·h_{t-1} + b_hh, G values
   * @param perUnit the unit's own parameters, G values; zeros for a cell without them
   */
  forward(x: Gates, r: Gates, hPrevious: number, cPrevious: M, perUnit: Gates): CellForward<M>;
  backward(gates: Gates, hPrevious: number, h: number, cPrevious: M, c: M, dh: number, dc: M, perUnit: Gates): CellBackward<M>;
  /** Computes the state from activated gates and the state before: h_t, and c_t of a cell with memory. */
  stateOf?(gates: Gates, hPrevious: number, cPrevious: number): { h: number; c: number };
  readonly readOut?: ReadOut;
}

/**
 * The arithmetic of a cell whose candidate needs its own recurrent product, with an operand that depends on the gates
 * (GRU with the reset inside: U_n·(r⊙h)). A step has two phases. `two-phase.ts` runs them as two dispatches,
 * `loop-two-phase.ts` with barriers between them:
 *
 * - forward, phase 0 computes the gates from U·h_{t-1}, and the operand; phase 1 computes the candidate from U·operand,
 *   and h_t
 * - backward, phase 0 computes the gradients of the candidate and of the gates that act on h_t directly, from ∂L/∂h_t;
 *   phase 1 computes the rest from ∂L/∂operand = Uᵀ·(the candidate's gradient)
 *
 * The WGSL has the same functions. `multiplyAdd`, `dotGates`, `gatesAt` and `storeFirstGates` (`cell-structs.ts`) touch
 * the gates of one phase only.
 */
export interface TwoPhaseArithmetic {
  /**
   * @param x input-side pre-activations W·x_t + b_ih, G values
   * @param recurrent U·h_{t-1} + b_hh, valid in the gates of phase 0
   * @returns activated gates, with those of phase 1 unchanged; and the unit's share of the candidate's operand
   */
  firstForward(x: Gates, recurrent: Gates, hPrevious: number): { gates: Gates; operand: number };
  /** @param recurrent U·operand + b_hh, valid in the gates of phase 1 */
  secondForward(gates: Gates, recurrent: Gates, hPrevious: number): { gates: Gates; h: number };
  /**
   * @returns gates with gradients where they are known, and with values for phase 1 elsewhere; the gradient that
   * reaches h_{t-1}; and `kept`, a number for phase 1, or 0
   */
  firstBackward(gates: Gates, hPrevious: number, dh: number): { gates: Gates; dhPrevious: number; kept: number };
  /** @returns gradients of all gates; and the gradient that reaches h_{t-1} through the operand */
  secondBackward(gates: Gates, hPrevious: number, dOperand: number, kept: number): { gates: Gates; dhPrevious: number };
}
