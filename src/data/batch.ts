import type { Tensor } from "../tensor/tensor.ts";

/** What one training step sees. */
export interface Batch {
  /** Ids [steps, batch] or numbers [steps, batch, features]; batch first if the model's layers are. */
  readonly input: Tensor;
  /** Class indices or numbers, shaped as the loss wants them for the model's output. */
  readonly targets: Tensor;
  /** One weight per target; 0 leaves it out. All 1 if left out. */
  readonly mask?: Tensor;
  /** Whether carried states are set to zero first: this batch does not go on where the last one ended. */
  readonly startsSequence: boolean;
}

/** A source of batches. The batch of a step depends on the step alone, so a resumed run sees what it would have seen. */
export interface TrainingData {
  /** Number of different batches; after these they come again. */
  readonly batches: number;
  /** @param batchFirst whether the model wants [batch, steps, ·] instead of [steps, batch, ·] */
  batch(step: number, batchFirst: boolean): Batch;
}
