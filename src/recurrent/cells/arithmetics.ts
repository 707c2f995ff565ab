/** The arithmetic of a cell, for twins. */
import type { CellArithmetic, TwoPhaseArithmetic } from "./arithmetic.ts";
import type { Cell } from "./cell.ts";
import { functionTwins, type FunctionTwins } from "./gate-functions.twin.ts";
import { gruResetBeforeArithmetic } from "./gru-reset-before.twin.ts";
import { gruArithmetic } from "./gru.twin.ts";
import { lstmArithmetic } from "./lstm.twin.ts";
import { minGruArithmetic } from "./min-gru.twin.ts";
import { minLstmArithmetic } from "./min-lstm.twin.ts";
import type { Memory } from "./memory.ts";
import { rnnArithmetic } from "./rnn.twin.ts";
import { slstmArithmetic } from "./slstm.twin.ts";

type Make<A> = (constants: Readonly<Record<string, number>>, functions: FunctionTwins) => A;
const onePhase: Readonly<Record<string, Make<CellArithmetic<Memory>>>> = {
  rnn: rnnArithmetic,
  gru: gruArithmetic,
  lstm: lstmArithmetic,
  "min-gru": minGruArithmetic,
  "min-lstm": minLstmArithmetic,
  slstm: slstmArithmetic,
};
const twoPhase: Readonly<Record<string, Make<TwoPhaseArithmetic>>> = { "gru-reset-before": gruResetBeforeArithmetic };

/** Of a cell with one product a step. */
export const arithmeticOf = ({ shader, constants = {}, functions, own }: Cell): CellArithmetic<Memory> =>
  own?.arithmetic ?? onePhase[shader](constants, functionTwins(functions));

/** Of a cell with two. */
export const twoPhaseArithmeticOf = ({ shader, constants = {}, functions }: Cell): TwoPhaseArithmetic =>
  twoPhase[shader](constants, functionTwins(functions));
