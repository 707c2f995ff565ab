import { chooseTokens } from "../kernels/choose-tokens.ts";
import { sampleToken } from "../kernels/sample-token.ts";
import type { View } from "../recording/recording.ts";
import type { Tape, Variable } from "./tape.ts";

/** First of the random streams of drawn tokens, beyond those of dropout and of coins, which count from 0. */
const firstDraw = 2 ** 31;

/** Where the next step's tokens come from; letters: T steps, B rows of the batch, V ids. */
export interface NextTokens {
  /** [1, B, V]: those of the present step */
  readonly logits: Variable;
  /** [T, B] ids */
  readonly target: Variable;
  /** Index of the next step, which `target` has the given tokens of. */
  readonly step: number;
  /** [1]: probability of going on from a draw */
  readonly rate: View;
  /** [4] u32: seed and step of the training. */
  readonly random: View;
  /** Random stream of the coins. */
  readonly stream: number;
}

/** The next step's tokens [1, B]: drawn from softmax(logits) with probability rate, else the given ones. No gradient passes. */
export function nextTokens(tape: Tape, label: string, { logits, target, step, rate, random, stream }: NextTokens): Variable {
  const { recording } = tape;
  const [, B, V] = logits.shape;
  const ids = (name: string): View => recording.buffer(`${label}.${name}`, [1, B], "transient", "u32");
  const [drawn, history, tokens] = [ids("drawn"), ids("history"), ids("tokens")];
  const sampling = recording.buffer(`${label}.sampling`, [2], "constant", "f32", Float32Array.of(1, 0));
  const position = recording.buffer(`${label}.position`, [1], "constant", "u32");
  recording.dispatch(
    sampleToken,
    { logits: logits.view, sampling, random, position, tokens: drawn, history },
    { rows: B, columns: V, capacity: 1, stream: firstDraw + step * B },
  );
  recording.dispatch(chooseTokens, { given: target.view, drawn, rate, random, tokens }, { rows: B, offset: step * B, stream });
  return tape.leaf(`${label}.tokens`, tokens);
}
