/** The arithmetic of one unit in one step, as the twins of the recurrent kernels call it. */

/** The G gate values of one unit, in the order of the cell's gateNames. */
export type Gates = readonly number[];

export interface CellForward<M = number> {
  /** Activated gates, kept for the backward pass. */
  gates: Gates;
  h: number;
  /** The unit's memory, of an LSTM c_t; or one more number for the backward pass, of a GRU the recurrent half of its candidate; else 0. */
  c: M;
}

export interface CellBackward<M = number> {
  /** ∂L/∂(pre-activations on the input side), G values. */
  dGates: Gates;
  /** ∂L/∂(pre-activations on the recurrent side), G values; the same as dGates but for GRU. */
  dRecurrent: Gates;
  /** What reaches ∂L/∂h_{t-1} unit by unit, apart from the recurrent product. */
  dhPrevious: number;
  dcPrevious: M;
}

/** The way from an LSTM's memory to h, for norms that stand in it. */
export interface ReadOut {
  /** @param z c_t, or what a norm made of it */
  forward(gates: Gates, z: number): number;
  /** ∂L/∂(the output gate's sum), and ∂L/∂z. */
  backward(gates: Gates, z: number, dh: number): { dOutput: number; dz: number };
  /** The cell's gradients from that of the output gate's sum and that of c_t. */
  gatesBackward(gates: Gates, cPrevious: number, dOutput: number, dcTotal: number, perUnit: Gates): CellBackward;
}

/** Of a cell with one recurrent product a step; M is what a unit keeps besides h (see `memory.ts`). */
export interface CellArithmetic<M = number> {
  /**
   * @param x input-side pre-activations W·x_t + b_ih, G values
   * @param r recurrent-side pre-activations U·h_{t-1} + b_hh, G values
   * @param perUnit the unit's own parameters, G values; zeros for a cell without them
   */
  forward(x: Gates, r: Gates, hPrevious: number, cPrevious: M, perUnit: Gates): CellForward<M>;
  backward(gates: Gates, hPrevious: number, h: number, cPrevious: M, c: M, dh: number, dc: M, perUnit: Gates): CellBackward<M>;
  /** What activated gates make of the state before: h_t, and c_t of a cell with memory. */
  stateOf?(gates: Gates, hPrevious: number, cPrevious: number): { h: number; c: number };
  readonly readOut?: ReadOut;
}

/**
 * Of a cell whose candidate needs a recurrent product of its own, with an operand that the gates must make first
 * (GRU with the reset inside: U_n·(r⊙h)). A step has two phases, which `two-phase.ts` runs as two dispatches
 * and `loop.ts` with barriers between them:
 *
 * - forward, phase 0: gates from U·h_{t-1}, and the operand; phase 1: the candidate from U·operand, and h_t
 * - backward, phase 0: from ∂L/∂h_t the gradients of the candidate and of what acts on h_t directly; phase 1: from
 *   ∂L/∂operand = Uᵀ·(the candidate's gradient) the rest
 *
 * The WGSL has the same functions, and `multiplyAdd`, `dotGates`, `lanesAt` and `storeSecond`, which touch the lanes of
 * one phase only.
 */
export interface TwoPhaseArithmetic {
  /**
   * @param x input-side pre-activations W·x_t + b_ih, G values
   * @param recurrent U·h_{t-1} + b_hh, right in the gates of phase 0
   * @returns activated gates, those of phase 1 as they came; and the unit's share of the candidate's operand
   */
  firstForward(x: Gates, recurrent: Gates, hPrevious: number): { gates: Gates; operand: number };
  /** @param recurrent U·operand + b_hh, right in the gates of phase 1 */
  secondForward(gates: Gates, recurrent: Gates, hPrevious: number): { gates: Gates; h: number };
  /**
   * @returns gates with gradients where they are known, and what phase 1 needs in the place of the others; the
   * gradient that reaches h_{t-1}; and one more number that phase 1 wants `kept`, or 0
   */
  firstBackward(gates: Gates, hPrevious: number, dh: number): { gates: Gates; dhPrevious: number; kept: number };
  /** @returns gradients of all gates; and what reaches h_{t-1} by way of the operand */
  secondBackward(gates: Gates, hPrevious: number, dOperand: number, kept: number): { gates: Gates; dhPrevious: number };
}
