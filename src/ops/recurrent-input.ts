/** The part of a recurrent layer before its first step: projected inputs and packed weights, and their way back. */
import { embeddingScatter } from "../kernels/embedding.ts";
import { prepareLayer as prepareLayerKernel } from "../kernels/prepare-layer.ts";
import type { View } from "../recording/recording.ts";
import { matmul, productGradients } from "./linear.ts";
import type { Gathered, Tape, Variable } from "./tape.ts";

/** Letters as in recurrent.ts. */
export interface LayerInput {
  /** [T, B, I] */
  readonly x: Variable;
  /** W [H·G, I] and b_ih [H·G] */
  readonly inputWeight: Variable;
  readonly inputBias?: Variable;
  /** U [H·G, H] */
  readonly recurrentWeight: Variable;
}

export interface PreparedLayer {
  /** [T, B, H, G]: W·x + b_ih */
  readonly gates: View;
  /** [H, H, G] each; see `kernels/prepare-layer.ts`. */
  readonly forwardWeights: View;
  readonly backwardWeights: View;
  /** Records ∂L/∂W, ∂L/∂b_ih and ∂L/∂x from the gradient of `gates`. */
  readonly inputGradients: (dGates: View) => void;
}

/**
 * The table to project instead of the input, if the input's rows are gathered from a table of at most half as many:
 * W·x + b is then computed once a table row. Half, because gather and scatter are of H·G columns then and not of I.
 */
function tableOf(x: Variable, rows: number): Gathered | undefined {
  return x.gathered && x.gathered.table.shape[0] * 2 <= rows ? x.gathered : undefined;
}

/** @param anyIds some u32 buffer, to be bound where there are no ids */
export function prepareLayer(tape: Tape, label: string, { x, inputWeight, inputBias, recurrentWeight }: LayerInput, anyIds: View): PreparedLayer {
  const { recording } = tape;
  const [T, B] = x.shape;
  const [columns, I] = inputWeight.shape;
  const H = recurrentWeight.shape[1];
  const G = columns / H;
  const gathered = tableOf(x, T * B);
  const source = gathered?.table ?? x;
  const rows = gathered ? source.shape[0] : T * B;
  const gates = recording.buffer(`${label}.gates`, [T, B, H, G]);
  const forwardWeights = recording.buffer(`${label}.weights.forward`, [H, H, G]);
  const backwardWeights = recording.buffer(`${label}.weights.backward`, tape.differentiates ? [H, H, G] : [1]);
  const project = (output: View): void => {
    matmul(recording, source.view, inputWeight.view, output, { M: rows, N: columns, K: I, bRow: 1, bColumn: I }, { bias: inputBias?.view });
  };
  /** Packs the weights, and gathers rows of a table on the way. */
  const copy = (gather?: { table: View; ids: View; to: View; width: number }): void => {
    const views = { weight: recurrentWeight.view, forwardWeights, backwardWeights, table: gather?.table ?? recurrentWeight.view, ids: gather?.ids ?? anyIds, gathered: gather?.to ?? gates };
    recording.dispatch(prepareLayerKernel, views, { H, G, backward: tape.differentiates ? 1 : 0, rows: gather ? T * B : 0, columns: gather?.width ?? 1 });
  };
  if (gathered) {
    const projected = recording.buffer(`${label}.projected`, [rows, columns]);
    project(projected);
    copy({ table: projected, ids: gathered.ids, to: gates, width: columns });
  } else {
    const to = x.gathered && x.unmade(recording);
    copy(to && { table: x.gathered.table.view, ids: x.gathered.ids, to, width: I });
    project(gates);
  }

  const inputGradients = (dGates: View): void => {
    let dProjected = dGates;
    if (gathered) {
      dProjected = recording.buffer(`${label}.d.projected`, [rows, H, G]);
      recording.dispatch(embeddingScatter, { dy: dGates, ids: gathered.ids, dWeight: dProjected }, { rows: T * B, columns, vocabulary: rows, accumulate: 0 });
    }
    productGradients(tape, source, inputWeight, inputBias, dProjected, rows);
  };
  return { gates, forwardWeights, backwardWeights, inputGradients };
}
