/**
 * Lists the package's cells: the arithmetic of each, and variants that together compile every branch of its shader.
 * Twins find the arithmetic here. The tests and the self-test of a device make kernels for all variants.
 */
import type { CellArithmetic, TwoPhaseArithmetic } from "./arithmetic.ts";
import { phasesOf, type Cell } from "./cell.ts";
import { functionOf, identity, usualFunctions } from "./gate-functions.ts";
import { functionTwins, type FunctionTwins } from "./gate-functions.twin.ts";
import { gruResetBefore, gruResetBeforeCell } from "./gru-reset-before.ts";
import { gruResetBeforeArithmetic } from "./gru-reset-before.twin.ts";
import { gru, gruCell } from "./gru.ts";
import { gruArithmetic } from "./gru.twin.ts";
import { lstm, lstmCell } from "./lstm.ts";
import { lstmArithmetic } from "./lstm.twin.ts";
import type { Memory } from "./memory.ts";
import { minGru, minGruCell } from "./min-gru.ts";
import { minGruArithmetic } from "./min-gru.twin.ts";
import { minLstm, minLstmCell } from "./min-lstm.ts";
import { minLstmArithmetic } from "./min-lstm.twin.ts";
import { rnnCell, rnnRelu, rnnTanh } from "./rnn.ts";
import { rnnArithmetic } from "./rnn.twin.ts";
import { slstmCell } from "./slstm.ts";
import { slstmArithmetic } from "./slstm.twin.ts";

type Listed<A> = readonly (readonly [
  arithmetic: (constants: Readonly<Record<string, number>>, functions: FunctionTwins) => A,
  variants: readonly Cell[],
])[];

const hardSigmoid = functionOf("HardSigmoid", 0.2, 0.5);

const onePhase: Listed<CellArithmetic<Memory>> = [
  [rnnArithmetic, [rnnTanh, rnnRelu, rnnCell({ ...usualFunctions, candidate: functionOf("ScaledTanh", 1.7, 0.7), clip: 0.5 })]],
  [
    gruArithmetic,
    [
      gru,
      gruCell({ reset: true, updateGate: "writes" }),
      gruCell({ reset: false, updateGate: "writes" }),
      gruCell(
        { reset: true, updateGate: "keeps" },
        { ...usualFunctions, gates: functionOf("Softplus"), candidate: functionOf("LeakyRelu", 0.1) },
      ),
    ],
  ],
  [
    lstmArithmetic,
    [
      lstm,
      lstmCell({ forgetGate: "gate", peepholes: true }),
      lstmCell({ forgetGate: "coupled", peepholes: true }, { ...usualFunctions, output: identity }),
      lstmCell({ forgetGate: "none", peepholes: false }),
      lstmCell(
        { forgetGate: "gate", peepholes: true },
        { gates: hardSigmoid, candidate: functionOf("Softsign"), output: functionOf("Elu", 1), clip: 0.7 },
      ),
    ],
  ],
  [slstmArithmetic, [slstmCell("sigmoid"), slstmCell("exponential")]],
  [minGruArithmetic, [minGru, minGruCell("linear")]],
  [minLstmArithmetic, [minLstm, minLstmCell("linear")]],
];
const twoPhase: Listed<TwoPhaseArithmetic> = [
  [
    gruResetBeforeArithmetic,
    [gruResetBefore, gruResetBeforeCell("writes", { ...usualFunctions, gates: hardSigmoid, candidate: functionOf("Relu"), clip: 0.8 })],
  ],
];

export const allCells: readonly Cell[] = [...onePhase, ...twoPhase].flatMap(([, variants]) => variants);

/** Cells with one product a step, those with two, and those whose steps a scan can take together. */
export const onePhaseCells = allCells.filter((cell) => !cell.isLinear && phasesOf(cell) === 1);
export const twoPhaseCells = allCells.filter((cell) => phasesOf(cell) === 2);
export const scannedCells = allCells.filter(({ isLinear }) => isLinear);

const find = <A>(all: Listed<A>, { shader, constants = {}, functions }: Cell): A =>
  all.find(([, variants]) => variants[0].shader === shader)![0](constants, functionTwins(functions));

/** The arithmetic of a cell with one product per step. */
export const arithmeticOf = (cell: Cell): CellArithmetic<Memory> => cell.own?.arithmetic ?? find(onePhase, cell);

/** The arithmetic of a cell with two products per step. */
export const twoPhaseArithmeticOf = (cell: Cell): TwoPhaseArithmetic => find(twoPhase, cell);
