/** The twins of two-phase.ts. */
import { twoPhaseArithmeticOf, twoPhaseCells } from "../cells/all-cells.ts";
import { gruResetBefore } from "../cells/gru-reset-before.ts";
import { weightWidth, type Phase, type RecurrentParts } from "./recurrent-kernel.ts";
import { laneStart } from "./lanes.ts";
import { hasStep } from "./lanes.twin.ts";
import { stepAt } from "./step-places.ts";
import { weightNumbers } from "./step.twin.ts";
import { twoPhaseBackward, twoPhaseForward } from "./two-phase.ts";
import { withShared, type KernelFamily, type Twin } from "../../kernels/twin.ts";

type Forward = ReturnType<typeof twoPhaseForward>;
type Backward = ReturnType<typeof twoPhaseBackward>;

export function twoPhaseForwardTwin({ cell, form }: RecurrentParts, phase: Phase): Twin<Forward["bindings"], Forward["params"]> {
  const arithmetic = twoPhaseArithmeticOf(cell);
  const gatePhases = cell.gatePhases!;
  return ({ gates, weights: packed, h, c, lengths }, { i, ...segment }) => {
    const { lanes, B, H } = segment;
    const G = cell.gateNames.length;
    const width = weightWidth(G, form);
    const weights = weightNumbers(packed, width, form);
    const recurrent = new Array<number>(G);
    for (let lane = 0; lane < lanes; lane++) {
      const step = stepAt(segment, lane, i);
      const w = laneStart(lane, (H + 1) * H) * width;
      const [operand, from] = phase === 0 ? [h, step.hPrevious] : [c, step.cCurrent];
      for (let row = 0; row < B; row++) {
        for (let unit = 0; unit < H; unit++) {
          const at = row * H + unit;
          if (!hasStep(lengths, row, step.t)) {
            if (phase === 0) c[step.cCurrent + at] = 0;
            else h[step.hCurrent + at] = h[step.hPrevious + at];
            continue;
          }
          for (let g = 0; g < G; g++) {
            let sum = weights[w + (H * H + unit) * width + g];
            if (gatePhases[g] === phase)
              for (let k = 0; k < H; k++) sum += operand[from + row * H + k] * weights[w + (k * H + unit) * width + g];
            recurrent[g] = sum;
          }
          const saved = (step.gates + at) * G;
          const x = Array.from(gates.subarray(saved, saved + G));
          if (phase === 0) {
            const out = arithmetic.firstForward(x, recurrent, h[step.hPrevious + at]);
            gates.set(out.gates, saved);
            c[step.cCurrent + at] = out.operand;
          } else {
            const out = arithmetic.secondForward(x, recurrent, h[step.hPrevious + at]);
            gates.set(out.gates, saved);
            h[step.hCurrent + at] = out.h;
          }
        }
      }
    }
  };
}

export function twoPhaseBackwardTwin({ cell, form }: RecurrentParts, phase: Phase): Twin<Backward["bindings"], Backward["params"]> {
  const arithmetic = twoPhaseArithmeticOf(cell);
  const gatePhases = cell.gatePhases!;
  return ({ gates, weights: packed, h, dy, carry, lengths }, { i, tail, ...segment }) => {
    const { lanes, B, H, steps } = segment;
    const G = cell.gateNames.length;
    const width = weightWidth(G, form);
    const weights = weightNumbers(packed, width, form);
    for (let lane = 0; lane < lanes; lane++) {
      const step = stepAt(segment, lane, i);
      const w = laneStart(lane, H * H) * width;
      const carried = laneStart(lane, B * H);
      const from = phase === 1 || tail ? step.gates : i + 1 < steps ? stepAt(segment, lane, i + 1).gates : undefined;
      for (let row = 0; row < B; row++) {
        for (let unit = 0; unit < H; unit++) {
          const at = row * H + unit;
          let product = 0;
          if (from !== undefined) {
            for (let k = 0; k < H; k++) {
              for (let g = 0; g < G; g++) {
                if (gatePhases[g] === phase) product += gates[(from + row * H + k) * G + g] * weights[w + (k * H + unit) * width + g];
              }
            }
          }
          const saved = (step.gates + at) * G;
          const reach = (carried + at) * 2;
          const hPrevious = h[step.hPrevious + at];
          const active = hasStep(lengths, row, step.t);
          if (phase === 1) {
            if (!active) continue;
            const out = arithmetic.secondBackward(Array.from(gates.subarray(saved, saved + G)), hPrevious, product, carry[reach + 1]);
            gates.set(out.gates, saved);
            carry[reach] += out.dhPrevious;
            carry[reach + 1] = 0;
            continue;
          }
          const dh = product + carry[reach] + (tail ? 0 : dy[step.dy + at]);
          if (tail || !active) {
            carry[reach] = dh;
            if (!tail) gates.fill(0, saved, saved + G);
            continue;
          }
          const out = arithmetic.firstBackward(Array.from(gates.subarray(saved, saved + G)), hPrevious, dh);
          gates.set(out.gates, saved);
          carry[reach] = out.dhPrevious;
          carry[reach + 1] = out.kept;
        }
      }
    }
  };
}

export const twoPhaseFamily: KernelFamily = {
  twins: [
    ...withShared<Forward>("two-phase-forward", (parts) => twoPhaseForwardTwin(parts, parts.phase!)),
    ...withShared<Backward>("two-phase-backward", (parts) => twoPhaseBackwardTwin(parts, parts.phase!)),
  ],
  variants: () => [
    ...twoPhaseCells.flatMap((cell) => [
      twoPhaseForward(cell, 0),
      twoPhaseForward(cell, 1),
      twoPhaseBackward(cell, 0),
      twoPhaseBackward(cell, 1),
    ]),
    ...([0, 1] as const).flatMap((phase) => [
      twoPhaseForward(gruResetBefore, phase, { shared: 256 }),
      twoPhaseBackward(gruResetBefore, phase, { shared: 256 }),
    ]),
    twoPhaseForward(gruResetBefore, 0, { shared: 256, rows: 8 }),
    twoPhaseBackward(gruResetBefore, 1, { shared: 256, rows: 8 }),
    twoPhaseForward(gruResetBefore, 1, { half: true, gaps: true }),
  ],
};
