import { embeddingGather, embeddingScatter } from "../kernels/embedding.ts";
import { sizeOf } from "../tensor/shape.ts";
import type { Tape, Variable } from "./tape.ts";

/**
 * y_n = weight[ids_n]. The rows are gathered only if an op needs them; a recurrent layer right behind it does not.
 * @param ids u32, any shape, below V
 * @param weight [V, E]
 * @returns [...shape of ids, E]
 */
export function embedding(tape: Tape, label: string, ids: Variable, weight: Variable): Variable {
  const [vocabulary, columns] = weight.shape;
  const rows = sizeOf(ids.shape);
  const y = tape.gathered(`${label}.y`, [...ids.shape, columns], { table: weight, ids: ids.view }, (view) => {
    tape.recording.dispatch(embeddingGather, { weight: weight.view, ids: ids.view, y: view }, { rows, columns, firstId: 0 });
  });
  tape.record([y], () => {
    const { view, accumulate } = tape.share(weight);
    tape.recording.dispatch(
      embeddingScatter,
      { dy: y.gradient!, ids: ids.view, dWeight: view },
      { rows, columns, vocabulary, accumulate, firstId: 0 },
    );
  });
  return y;
}
