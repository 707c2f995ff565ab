/** How good a model is on data, without training on them. */
import type { TrainingData } from "../data/batch.ts";
import type { Loss } from "../losses/loss.ts";
import { breathe } from "../session/breathe.ts";
import { CarriedStates } from "../session/carried-states.ts";
import { Session } from "../session/session.ts";
import type { NumericArray } from "../tensor/tensor.ts";
import { Batches } from "./batches.ts";
import { batchInputs, LossRecorder } from "./loss-recorder.ts";

/** What `Trainer.evaluate` gives. */
export interface Evaluation {
  /** Mean loss; nats per token for cross-entropy. */
  loss: number;
  /** loss / ln 2: bits per character of a character model. */
  bitsPerCharacter: number;
  /** e^loss. */
  perplexity: number;
}

/** What is evaluated, and how. */
interface EvaluationPlan {
  readonly data: TrainingData;
  readonly batches: number;
  readonly loss: Loss;
  readonly carryState: boolean;
  readonly seed: number;
}

/** Mean loss over the first batches of the data, all on the parameters of one moment. */
export function evaluate(session: Session, { data, batches, loss, carryState, seed }: EvaluationPlan): Promise<Evaluation> {
  const carried = new CarriedStates(session.backend);
  const recorder = new LossRecorder(session, loss, carried, carryState && data.carriesState !== false);
  const source = new Batches(data, session.model.batchFirst, recorder);
  return Session.whileReading([session], async (reading) => {
    try {
      let sum = 0;
      let count = 0;
      for (let i = 0; i < batches; i++) {
        const batch = (await source.take(i))!;
        const { program, context, release } = await recorder.prepare(batch);
        const inputs = batchInputs(loss, context, batch, seed, 0);
        if (i + 1 < batches) source.ask(i + 1);
        let values: NumericArray;
        try {
          const { downloads } = await session.run(program, inputs, { reading, before: () => carried.begin(context.externals, batch.startsSequence) });
          ({ loss: values } = await downloads);
        } finally {
          release();
        }
        const { normalizer } = inputs;
        // A mean is undone by its factor, so that batches count by their targets.
        sum += normalizer[1] === 0 ? 0 : values[0] / normalizer[1];
        count += normalizer[0];
        await breathe();
      }
      const mean = sum / count;
      return { loss: mean, bitsPerCharacter: mean / Math.LN2, perplexity: Math.exp(mean) };
    } finally {
      recorder.dispose();
      carried.free();
    }
  });
}
