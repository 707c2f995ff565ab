/**
 * A cell whose candidate needs a recurrent product of its own, with an operand that the gates must make first
 * (GRU with the reset inside: U_n·(r⊙h)). A step has two phases, which `recurrent-two-phase.ts` runs as two dispatches
 * and `recurrent-loop.ts` with barriers between them:
 *
 * - forward, phase 0: gates from U·h_{t-1}, and the operand; phase 1: the candidate from U·operand, and h_t
 * - backward, phase 0: from ∂L/∂h_t the gradients of the candidate and of what acts on h_t directly; phase 1: from
 *   ∂L/∂operand = Uᵀ·(the candidate's gradient) the rest
 *
 * The WGSL in `shaders/cells/` has the same functions, and `multiplyAdd`, `dotGates`, `lanesAt` and `storeSecond`,
 * which touch the lanes of one phase only.
 */
import type { Gates } from "./cell.ts";

export interface TwoPhaseCell {
  readonly name: string;
  /** Stem of the WGSL file in `shaders/cells/`. */
  readonly shader: string;
  /** Values of the shader's `override` constants that make this variant. */
  readonly constants?: Readonly<Record<string, number>>;
  readonly gateNames: readonly string[];
  /** As in `Cell`. */
  readonly parameterGates?: readonly string[];
  /** A two-phase cell carries h alone: the buffer c holds the candidate's operand. */
  readonly hasMemory: false;
  /** The phase whose recurrent product each gate takes part in; those of phase 0 come first. */
  readonly gatePhases: readonly (0 | 1)[];
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
