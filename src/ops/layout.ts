/** Ops that move elements about: strided copies one way, the same strides turned round for the gradient. */
import { maskSteps as maskStepsKernel } from "../kernels/mask-steps.ts";
import { stridedCopy } from "../kernels/strided-copy.ts";
import type { View } from "../recording/recording.ts";
import type { Shape } from "../tensor/shape.ts";
import type { Tape, Variable } from "./tape.ts";

/** Sizes of the index space, and the stride of each index on either side. */
interface Layout {
  readonly sizes: readonly [number, number, number];
  readonly from: readonly [number, number, number];
  readonly to: readonly [number, number, number];
  readonly fromOffset?: number;
  readonly toOffset?: number;
}

function copy(tape: Tape, input: View, output: View, { sizes, from, to, fromOffset = 0, toOffset = 0 }: Layout, accumulate: 0 | 1): void {
  tape.recording.dispatch(stridedCopy, { input, output }, {
    size0: sizes[0], size1: sizes[1], size2: sizes[2],
    fromOffset, from0: from[0], from1: from[1], from2: from[2],
    toOffset, to0: to[0], to1: to[1], to2: to[2], accumulate,
  });
}

const turned = ({ sizes, from, to, fromOffset, toOffset }: Layout): Layout => ({ sizes, from: to, to: from, fromOffset: toOffset, toOffset: fromOffset });

function rearranged(tape: Tape, label: string, shape: Shape, sources: readonly Variable[], layouts: readonly Layout[]): Variable {
  const y = tape.result(label, shape, sources);
  sources.forEach((x, i) => copy(tape, x.view, y.view, layouts[i], 0));
  tape.record([y], () => {
    sources.forEach((x, i) => {
      if (!x.needsGradient) return;
      const { view, accumulate } = tape.share(x);
      copy(tape, y.gradient!, view, turned(layouts[i]), accumulate);
    });
  });
  return y;
}

/** [A, B, F] -> [B, A, F]. */
export function swapFirstTwo(tape: Tape, label: string, x: Variable): Variable {
  const [A, B, F] = x.shape;
  return rearranged(tape, label, [B, A, F], [x], [{ sizes: [A, B, F], from: [B * F, F, 1], to: [F, A * F, 1] }]);
}

/** Joins variables of equal leading sizes [N, M, F_i] along the last: [N, M, ΣF_i]. */
export function concatLast(tape: Tape, label: string, parts: readonly Variable[]): Variable {
  const [N, M] = parts[0].shape;
  const F = parts.reduce((sum, p) => sum + p.shape[2], 0);
  let toOffset = 0;
  const layouts = parts.map((part): Layout => {
    const width = part.shape[2];
    const layout: Layout = { sizes: [N, M, width], from: [M * width, width, 1], to: [M * F, F, 1], toOffset };
    toOffset += width;
    return layout;
  });
  return rearranged(tape, label, [N, M, F], parts, layouts);
}

/** Zeros where a row has ended: x [T, B, H], lengths [B] u32. */
export function maskSteps(tape: Tape, label: string, x: Variable, lengths: View): Variable {
  const [T, B, H] = x.shape;
  const y = tape.result(label, x.shape, [x]);
  tape.recording.dispatch(maskStepsKernel, { x: x.view, lengths, y: y.view }, { T, B, H, accumulate: 0 });
  tape.record([y], () => {
    const { view, accumulate } = tape.share(x);
    tape.recording.dispatch(maskStepsKernel, { x: y.gradient!, lengths, y: view }, { T, B, H, accumulate });
  });
  return y;
}
