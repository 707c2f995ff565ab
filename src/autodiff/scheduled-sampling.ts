import { chooseTokens } from "../kernels/choose-tokens.ts";
import { sampleToken } from "../kernels/sample-token.ts";
import type { View } from "../recording/recording.ts";
import type { Tape, Variable } from "./tape.ts";

/** First random stream for drawn tokens, beyond the streams of dropout and coins, which count from 0. */
const firstDraw = 2 ** 31;

/** Sources of the next time step's tokens. Letters: T time steps, B rows of the batch, V ids. */
export interface NextTokens {
  /** [1, B, V]: the logits of the present time step */
  readonly logits: Variable;
  /** [T, B] ids */
  readonly target: Variable;
  /** Index of the next time step in `target`. */
  readonly step: number;
  /** [1]: probability of using a drawn token */
  readonly rate: View;
  /** [4] u32: seed and step of the training. */
  readonly random: View;
  /** Random stream of the coins. */
  readonly stream: number;
}

/**
 * The next time step's tokens [1, B]: with probability `rate` drawn from softmax(logits), else the given ones. No
 * gradient passes.
 */
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
    { rows: B, columns: V, capacity: 1, stream: firstDraw + step * B, separate: 0 },
  );
  recording.dispatch(chooseTokens, { given: target.view, drawn, rate, random, tokens }, { rows: B, offset: step * B, stream });
  return tape.leaf(`${label}.tokens`, tokens);
}
