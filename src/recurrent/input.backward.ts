/** Takes gradients back through the projection of a lane's inputs. */
import { inputGradient, weightGradients } from "../autodiff/linear.backward.ts";
import type { Gathered, Tape } from "../autodiff/tape.ts";
import { embeddingScatter } from "../kernels/embedding.ts";
import type { View } from "../recording/recording.ts";
import type { InputProduct, InputRows } from "./input.ts";

/** Receives the gradients of the projected inputs, segment by segment. */
export interface InputGradients {
  /** Records ∂L/∂W, ∂L/∂b_ih and ∂L/∂x of these steps. */
  readonly collect: (dGates: View, first: number, steps: number) => void;
  /** Call this when all steps have been collected. */
  readonly finish: () => void;
}

/** @param B rows of the batch */
export function inputGradients(tape: Tape, product: InputProduct, B: number): InputGradients {
  const { factor } = product;
  return "table" in factor ? ofTable(tape, product, factor, B) : ofRows(tape, product, factor, B);
}

/** The gradients of equal ids are added up first, so that both products have the rows of the table only. */
function ofTable(tape: Tape, { label, weight, bias }: InputProduct, { table, ids }: Gathered, B: number): InputGradients {
  const [columns] = weight.shape;
  const [rows] = table.shape;
  let dProjected: View | undefined;
  return {
    collect(dGates, first, steps) {
      const accumulate = dProjected ? 1 : 0;
      dProjected ??= tape.recording.buffer(`${label}.d.projected`, [rows, columns]);
      tape.recording.dispatch(
        embeddingScatter,
        { dy: dGates, ids, dWeight: dProjected },
        { rows: steps * B, columns, vocabulary: rows, accumulate, firstId: first * B },
      );
    },
    finish() {
      weightGradients(tape, table.view, weight, bias, dProjected!, rows);
      if (table.needsGradient) inputGradient(tape, weight, dProjected!, rows, tape.share(table));
    },
  };
}

function ofRows(tape: Tape, { weight, bias }: InputProduct, { view, offset, share }: InputRows, B: number): InputGradients {
  const [, I] = weight.shape;
  let dx: ReturnType<Tape["share"]> | undefined;
  return {
    collect(dGates, first, steps) {
      weightGradients(tape, view(), weight, bias, dGates, steps * B, offset + first * B * I);
      if (!share) return;
      // Each segment writes its own rows of dx, so all of them have the same `accumulate`.
      dx ??= share();
      inputGradient(tape, weight, dGates, steps * B, dx, first * B);
    },
    finish: () => undefined,
  };
}
