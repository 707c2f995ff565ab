/** Which time steps of sequences count. */
import { embedding } from "../../autodiff/embedding.ts";
import type { Variable } from "../../autodiff/tape.ts";
import type { Context } from "../../nn/context.ts";
import * as ops from "../../nn/ops.ts";
import { stepBits } from "../../kernels/step-bits.ts";
import type { View } from "../../recording/recording.ts";
import { stepWords } from "../../recurrent/kernels/lanes.ts";

const bits = new WeakMap<Variable, View>();

/** The context of a recurrent layer that passes over the steps that do not count. @param mask [batch, steps, 1] */
export function withMask(context: Context, mask: Variable | undefined): Context {
  if (!mask) return context;
  let words = bits.get(mask);
  if (!words) {
    const [B, T] = mask.shape;
    const { recording } = context.tape;
    words = recording.buffer(context.label("counted"), [stepWords(T, B)], "transient", "u32");
    recording.dispatch(stepBits, { mask: mask.view, words }, { T, B });
    bits.set(mask, words);
  }
  return context.within({ lengths: words, hasGaps: true });
}

/** [batch, steps, 1]: 0 where all features of x have this value, else 1. */
export function countedSteps(context: Context, x: Variable, value: number): Variable {
  const [B, T] = x.shape;
  const differing = ops.sum(context, ops.not(context, ops.equal(context, x, value)), -1);
  return ops.reshape(context, ops.minimum(context, differing, 1), [B, T, 1]);
}

/** [batch, steps, 1]: 0 where an id is 0, else 1. @param count ids there are */
export function countedIds(context: Context, ids: Variable, count: number): Variable {
  const table = ops.constant(context, { shape: [count, 1], data: Float32Array.from({ length: count }, (_, id) => Math.min(1, id)) });
  return embedding(context.tape, context.label("counted"), ids, table);
}
