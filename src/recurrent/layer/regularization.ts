/** Gives the ops of a layer with normalisation, zoneout or recurrent dropout their parameters and settings. */
import { RnnError } from "../../errors.ts";
import type { Context } from "../../nn/context.ts";
import type { Gains } from "../input.ts";
import type { Regularization } from "../regularized.ts";
import type { Regularizer } from "./regularizer.ts";

const epsilon = 1e-5;
/** Weight of a new batch in the running statistics, as in PyTorch's batch normalisation. */
const momentum = 0.1;

/** The gains of a normalised layer. */
export const gainsOf = ({ gains }: Regularizer, context: Context, suffix: string, bias: boolean): Gains => ({
  input: context.parameter(`gain_ih_${suffix}`),
  recurrent: context.parameter(`gain_hh_${suffix}`),
  memory: gains!.memory ? context.parameter(`gain_c_${suffix}`) : undefined,
  memoryBias: gains!.memory && bias ? context.parameter(`bias_c_${suffix}`) : undefined,
});

/** The settings of an op with `lanes` lanes, the first of which has this suffix. */
export function regularizationOf(regularizer: Regularizer, context: Context, lanes: number, suffix: string): Regularization {
  const { normalization, normalizedSteps, zoneout, recurrentDropout, runningShape } = regularizer;
  const { training } = context;
  if (context.tape.options.recurrent && normalizedSteps > 0)
    throw new RnnError(
      "option",
      context.label("normalization"),
      `gradientFlow runs each step by itself, but "batch" has statistics of each step of a sequence; it cannot look at such a layer`,
    );
  const streams = Array.from({ length: 2 * lanes }, () => context.randomStream());
  return {
    normalization,
    epsilon,
    zoneout,
    recurrentDropout: training ? recurrentDropout : 0,
    training,
    random: context.random,
    stream: streams[0],
    running: runningShape && { view: context.parameter(`running_${suffix}`).view, momentum },
  };
}
