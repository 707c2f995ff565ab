/**
 * A recurrent layer over a whole sequence, one direction, as one differentiable op.
 *
 * Letters: T steps, B rows of the batch, I inputs, H units, G gates. Gates of a unit lie side by side, so the rows of
 * both weights are ordered [unit, gate]; `io` converts from and to the gate-major order of files.
 */
import { stridedCopy } from "../kernels/strided-copy.ts";
import { align, subview, type View } from "../recording/recording.ts";
import { chooseStrategy } from "./choose-strategy.ts";
import { weightAndBias } from "./linear.ts";
import { prepareLayer } from "./recurrent-input.ts";
import { checkedStrategy, isTwoPhase, layoutOf, recordBackward, recordForward, recurrentProducts, type LayerBuffers, type RecurrentCell } from "./recurrent-strategy.ts";
import type { Tape, Variable } from "./tape.ts";

export interface RecurrentWeights {
  /** W [H·G, I] */
  readonly inputWeight: Variable;
  /** U [H·G, H] */
  readonly recurrentWeight: Variable;
  /** b_ih and b_hh [H·G]; both or none */
  readonly inputBias?: Variable;
  readonly recurrentBias?: Variable;
}

export interface RecurrentOptions {
  readonly cell: RecurrentCell;
  /** From the last step to the first. */
  readonly reverse: boolean;
  /** [B, H]; zeros if left out. */
  readonly initialH?: Variable;
  readonly initialC?: Variable;
  /** [B] u32: steps of each row. */
  readonly lengths: View;
}

export interface RecurrentResult {
  /** [T, B, H]; rows past their length repeat their last state. */
  readonly y: Variable;
  /** [B, H], the state after the last step. Their views are not aligned: copy or download them, do not bind them. */
  readonly finalH: Variable;
  readonly finalC?: Variable;
}

/** A [T+1, B, H] state buffer whose part after the first (or before the last) slot starts aligned. */
function stateBuffer(tape: Tape, label: string, [T, B, H]: readonly number[], reverse: boolean, initial: Variable | undefined) {
  const size = B * H;
  const base = reverse ? 0 : align(size) - size;
  const whole = tape.recording.buffer(label, [base + (T + 1) * size]);
  const slot = (index: number): View => subview(whole, base + index * size, [B, H]);
  const first = slot(reverse ? T : 0);
  if (initial) tape.recording.copyFirst(initial.view, first);
  else tape.recording.clearFirst(first);
  return { whole, base, final: slot(reverse ? 0 : T), outputs: subview(whole, base + (reverse ? 0 : size), [T, B, H]) };
}

/** @param x [T, B, I] */
export function recurrent(tape: Tape, label: string, x: Variable, weights: RecurrentWeights, options: RecurrentOptions): RecurrentResult {
  const { cell, reverse, initialH, initialC, lengths } = options;
  const { inputWeight, recurrentWeight, inputBias, recurrentBias } = weights;
  const { recording } = tape;
  const { hasMemory, usesC, splitsRecurrentGradient } = layoutOf(cell);
  const [T, B] = x.shape;
  const G = cell.gateNames.length;
  const H = recurrentWeight.shape[1];
  const sources = [x, inputWeight, recurrentWeight, inputBias, recurrentBias, initialH, initialC];

  const h = stateBuffer(tape, `${label}.h`, [T, B, H], reverse, initialH);
  const cSlots = usesC ? recording.buffer(`${label}.c`, [T + 1, B, H]) : recording.buffer(`${label}.c.unused`, [1]);
  const cSlot = (slot: number): View => subview(cSlots, slot * B * H, [B, H]);
  if (hasMemory) {
    if (initialC) recording.copyFirst(initialC.view, cSlot(reverse ? T : 0));
    else recording.clearFirst(cSlot(reverse ? T : 0));
  }

  const { gates, forwardWeights, backwardWeights, inputGradients } = prepareLayer(tape, label, { x, ...weights }, lengths);
  const bias = recurrentBias?.view ?? recording.buffer(`${label}.bias.none`, [H, G], "constant");
  const buffers: LayerBuffers = { T, B, H, reverse, gates, h: h.whole, hBase: h.base, c: cSlots, lengths };
  const shape = { T, B, H, G, phases: isTwoPhase(cell) ? 2 : 1, training: tape.differentiates };
  const strategy = checkedStrategy(label, tape.strategy ?? chooseStrategy(shape, recording.profile), H);
  recordForward(recording, strategy, cell, buffers, forwardWeights, bias);

  const y = tape.result(`${label}.y`, [T, B, H], sources, h.outputs);
  const finalH = tape.result(`${label}.final.h`, [B, H], sources, h.final);
  const finalC = hasMemory ? tape.result(`${label}.final.c`, [B, H], sources, cSlot(reverse ? 0 : T)) : undefined;

  tape.record(finalC ? [y, finalH, finalC] : [y, finalH], () => {
    const dy = y.gradient ?? recording.buffer(`${label}.dy.none`, [T, B, H], "constant");
    const carry = recording.buffer(`${label}.carry`, [B, H, 2]);
    recording.clearFirst(carry);
    [finalH, finalC].forEach((final, lane) => {
      if (!final?.gradient) return;
      recording.dispatch(stridedCopy, { input: final.gradient, output: carry }, {
        size0: B * H, size1: 1, size2: 1, fromOffset: 0, from0: 1, from1: 0, from2: 0, toOffset: lane, to0: 2, to1: 0, to2: 0, accumulate: 0,
      });
    });
    const dRecurrent = recording.buffer(`${label}.dRecurrent`, splitsRecurrentGradient ? [T, B, H, G] : [G]);
    const cotangents = { weights: backwardWeights, dy, carry, dRecurrent };
    const wantsInitial = [initialH, initialC].some((v) => v?.needsGradient);
    recordBackward(recording, strategy, cell, buffers, cotangents, wantsInitial);
    initialGradients();
    parameterGradients();

    /** ∂L/∂h_0 and ∂L/∂c_0 are what the carry holds in the end. */
    function initialGradients(): void {
      [initialH, initialC].forEach((initial, lane) => {
        if (!initial?.needsGradient) return;
        const { view, accumulate } = tape.share(initial);
        recording.dispatch(stridedCopy, { input: carry, output: view }, {
          size0: B * H, size1: 1, size2: 1, fromOffset: lane, from0: 2, from1: 0, from2: 0, toOffset: 0, to0: 1, to1: 0, to2: 0, accumulate,
        });
      });
    }

    /** One product each over all T·B rows: ∂L/∂U from the states before each step, ∂L/∂W and ∂L/∂x from the input. */
    function parameterGradients(): void {
      const recurrentSide = splitsRecurrentGradient ? dRecurrent : gates;
      const place = weightAndBias(tape, recurrentWeight, recurrentBias, recurrentSide, T * B);
      if (place) recurrentProducts(recording, cell, buffers, recurrentSide, place);
      inputGradients(gates);
    }
  });
  return { y, finalH, finalC };
}
