/** Measures the loss of a model on data, without training on them. */
import type { Loss } from "../losses/loss.ts";
import { breathe } from "../backend/breathe.ts";
import type { CarriedStates } from "../session/carried-states.ts";
import { whileReading } from "../session/reading.ts";
import type { Session } from "../session/session.ts";
import { giveBack } from "../tensor/spare.ts";
import type { NumericArray } from "../tensor/tensor.ts";
import type { Batches } from "./batches.ts";
import type { LossRecorder } from "./loss-recorder.ts";

/** The result of `Trainer.evaluate`. */
export interface Evaluation {
  /** Mean loss, nats per token for cross-entropy; or the sum, if that is the loss's `reduction`. */
  loss: number;
  /** Mean loss / ln 2: bits per character of a character model. */
  bitsPerCharacter: number;
  /** e to the mean loss. */
  perplexity: number;
  /** Sum of the weights of the targets. If it is 0, the loss is 0. */
  targets: number;
}

/** An evaluation; its recorder, source and carried states are its own. */
interface EvaluationPlan {
  readonly session: Session;
  readonly recorder: LossRecorder;
  readonly carried: CarriedStates;
  readonly source: Batches;
  readonly batches: number;
  readonly reduction: Loss["reduction"];
  readonly seed: number;
}

/** Mean loss over the first batches of the data, all on the parameters of one moment. */
export function evaluate({ session, recorder, carried, source, batches, reduction, seed }: EvaluationPlan): Promise<Evaluation> {
  return whileReading([session], async (reading) => {
    try {
      let sum = 0;
      let count = 0;
      for (let i = 0; i < batches; i++) {
        const batch = (await source.take(i))!;
        const normalizer = recorder.normalizer(batch);
        const { program, context, release } = await (normalizer[0] === 0 ? recorder.prepareWithoutTargets(batch) : recorder.prepare(batch));
        const inputs = recorder.inputs(context, batch, normalizer, seed, 0);
        if (i + 1 < batches) source.ask(i + 1);
        let values: Readonly<Record<string, NumericArray>>;
        try {
          const { downloads } = await session.run(program, inputs, {
            reading,
            before: () => carried.begin(context.externals, batch.startsSequence, context.begins),
          });
          values = await downloads;
          giveBack(inputs);
        } finally {
          release();
        }
        count += normalizer[0];
        // Turns a batch's mean back into a sum, so that each batch counts by its number of targets.
        if (normalizer[0] !== 0) sum += values.loss[0] / normalizer[1];
        await breathe();
      }
      const mean = count === 0 ? 0 : sum / count;
      const isSum = reduction === "sum" || reduction === "halfSum";
      return { loss: isSum ? sum : mean, bitsPerCharacter: mean / Math.LN2, perplexity: Math.exp(mean), targets: count };
    } finally {
      recorder.dispose();
      carried.free();
    }
  });
}
