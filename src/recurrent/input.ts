/** Projects the inputs of a recurrent layer and packs its weights before the recurrence. */
import { embeddingGather } from "../kernels/embedding.ts";
import { prepareLayer } from "./kernels/prepare-layer.ts";
import { stridedCopy } from "../kernels/strided-copy.ts";
import type { Recording, View } from "../recording/recording.ts";
import { timesWeight } from "../autodiff/linear.ts";
import type { Gathered, Tape, Variable } from "../autodiff/tape.ts";

/** Factors and shifts of normalised values, in device order ([unit, gate]). If the cell reads h out of a memory, that has some too. */
export interface Gains {
  /** [H·G] */
  readonly input: Variable;
  readonly recurrent: Variable;
  /** [H] */
  readonly memory?: Variable;
  readonly memoryBias?: Variable;
}

/**
 * The weights of a lane: W [H·G, I], U [H·G, H/heads], b_ih and b_hh [H·G], the units' own parameters [H·G], gains. A
 * cell without a recurrent matrix has no U. The units' own parameters depend on the cell; only normalised layers have
 * gains. Letters as in sequence.ts.
 */
export interface RecurrentWeights {
  readonly inputWeight: Variable;
  readonly recurrentWeight?: Variable;
  readonly inputBias?: Variable;
  readonly recurrentBias?: Variable;
  readonly perUnit?: Variable;
  readonly gains?: Gains;
}

/** One lane's weights and inputs, as the time loop uses them. */
export interface LaneInput {
  /** Records W·x + b_ih of `steps` steps from step `first` on, into [steps, B, H, G]; packs the weights when first called. */
  readonly project: (to: View, first: number, steps: number) => void;
  /** What the backward pass needs of the product. */
  readonly product: InputProduct;
}

/** The product of W with a lane's inputs. */
export interface InputProduct {
  readonly label: string;
  readonly weight: Variable;
  readonly bias: Variable | undefined;
  /** The other factor: a table whose rows were gathered after the product, or one row for each row of each step. */
  readonly factor: Gathered | InputRows;
}

/** Rows [T·B, I], from element `offset` of a view on. */
export interface InputRows {
  readonly view: () => View;
  readonly offset: number;
  /** The place of their gradient, the same for all segments; called once. Left out if they need none. */
  readonly share?: (() => ReturnType<Tape["share"]>) | undefined;
}

/**
 * Returns the table if it is projected instead of the input. The input's rows must be gathered from a table of at most
 * half as many rows. W·x + b is then computed once per table row. The limit is half, because gather and scatter then
 * move H·G columns instead of I.
 */
function tableOf(x: Variable, rows: number): Gathered | undefined {
  return x.gathered && x.gathered.table.shape[0] * 2 <= rows ? x.gathered : undefined;
}

/** The places of a lane's packed weights; see `kernels/prepare-layer.ts`. */
export interface PackedWeights {
  readonly forward: View;
  readonly backward: View;
  /** Units of the layer, and the numbers that each has in a row; the row of the bias, behind those of the matrix. */
  readonly H: number;
  readonly width: number;
  readonly biasRow: number;
  /** Fills the rows behind U and b_hh. */
  readonly rest: () => void;
  /** The parameters in those rows. */
  readonly restOf: readonly Variable[];
}

/** Rows that are gathered from a table by id. */
interface Gather {
  readonly table: View;
  readonly ids: View;
  readonly to: View;
  readonly width: number;
  readonly rows: number;
  readonly firstId: number;
}

const gatherRows = (recording: Recording, { table, ids, to, width, rows, firstId }: Gather): void =>
  recording.dispatch(embeddingGather, { weight: table, ids, y: to }, { columns: width, rows, firstId });

/** Packs U and b_hh, or W and b_ih of a layer with as many inputs as units. The same dispatch can gather rows of a table. */
export function pack(
  tape: Tape,
  label: string,
  weight: Variable,
  bias: Variable | undefined,
  packed: Pick<PackedWeights, "forward" | "backward" | "H" | "width" | "biasRow">,
  anyIds: View,
  gather?: Gather,
): void {
  const [columns, fanIn] = weight.shape;
  const { H, width, biasRow } = packed;
  tape.recording.dispatch(
    prepareLayer,
    {
      weight: weight.view,
      bias: bias?.view ?? weight.view,
      forwardWeights: packed.forward,
      backwardWeights: packed.backward,
      table: gather?.table ?? weight.view,
      ids: gather?.ids ?? anyIds,
      gathered: gather?.to ?? tape.recording.buffer(`${label}.gathered.none`, [1]),
    },
    {
      H,
      G: columns / H,
      width,
      fanIn,
      biasRow,
      useBias: bias ? 1 : 0,
      backward: tape.differentiates ? 1 : 0,
      rows: gather?.rows ?? 0,
      columns: gather?.width ?? 1,
      firstId: gather?.firstId ?? 0,
    },
  );
}

/**
 * Projects a lane's input for all steps of a segment before the first of them.
 * @param x [T, B, I]
 * @param shareInput `tape.share` of x, called once if x needs a gradient
 * @param anyIds any u32 buffer, bound where there are no ids
 */
export function laneInput(
  tape: Tape,
  label: string,
  x: Variable,
  shareInput: () => ReturnType<Tape["share"]>,
  weights: RecurrentWeights,
  packed: PackedWeights,
  anyIds: View,
): LaneInput {
  const { inputWeight, inputBias, recurrentWeight, recurrentBias } = weights;
  const { recording } = tape;
  const [T, B] = x.shape;
  const [columns, I] = inputWeight.shape;
  const gathered = tableOf(x, T * B);
  const multiply = (input: View, to: View, rows: number, firstRow: number): void =>
    timesWeight(recording, input, inputWeight, to, rows, { bias: inputBias?.view, firstRow });
  const packRecurrent = (gather?: Gather): void => {
    if (!recurrentWeight) {
      if (gather) gatherRows(recording, gather);
      return;
    }
    const from = [recurrentWeight, ...(recurrentBias ? [recurrentBias] : []), ...packed.restOf];
    const settled = recording.isSettled(from.map(({ view }) => view));
    recording.derive(
      from.map(({ view }) => view),
      () => {
        pack(tape, label, recurrentWeight, recurrentBias, packed, anyIds, settled ? undefined : gather);
        packed.rest();
      },
    );
    if (settled && gather) gatherRows(recording, gather);
  };
  return gathered ? fromTable(gathered) : fromRows();

  function fromTable({ table, ids }: Gathered): LaneInput {
    const rows = table.shape[0];
    let projected: View | undefined;
    return {
      product: { label, weight: inputWeight, bias: inputBias, factor: { table, ids } },
      project(to, first, steps) {
        const gather = { rows: steps * B, firstId: first * B };
        if (projected) {
          gatherRows(recording, { table: projected, ids, to, width: columns, ...gather });
          return;
        }
        const whole = (projected = recording.buffer(`${label}.projected`, [rows, columns]));
        recording.derive([table.view, inputWeight.view, ...(inputBias ? [inputBias.view] : [])], () =>
          multiply(table.view, whole, rows, 0),
        );
        packRecurrent({ table: projected, ids, to, width: columns, ...gather });
      },
    };
  }

  function fromRows(): LaneInput {
    let isPacked = false;
    const share = x.needsGradient ? shareInput : undefined;
    return {
      product: { label, weight: inputWeight, bias: inputBias, factor: { view: () => x.view, offset: 0, share } },
      project(to, first, steps) {
        if (!isPacked) {
          const rows = x.gathered && x.unmade(recording);
          packRecurrent(rows && { table: x.gathered.table.view, ids: x.gathered.ids, to: rows, width: I, rows: T * B, firstId: 0 });
          isPacked = true;
        }
        multiply(x.view, to, steps * B, first * B);
      },
    };
  }
}

/** Copies `count` elements of `numbers` numbers, with the strides `from` and `to`: h and c lie side by side in the carry. */
export function copyElements(
  recording: Recording,
  input: View,
  output: View,
  count: number,
  {
    numbers = 1,
    from = numbers,
    to = numbers,
    fromOffset = 0,
    toOffset = 0,
    accumulate = 0,
  }: { numbers?: number; from?: number; to?: number; fromOffset?: number; toOffset?: number; accumulate?: 0 | 1 },
): void {
  recording.dispatch(
    stridedCopy,
    { input, output },
    { size0: count, size1: numbers, size2: 1, fromOffset, from0: from, from1: 1, from2: 0, toOffset, to0: to, to1: 1, to2: 0, accumulate },
  );
}
