import type { Numbers, TensorLike } from "../tensor/take.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** What one training step sees. */
export interface Batch {
  /** Ids [steps, batch] or numbers [steps, batch, features]; batch first if the model's layers are. */
  readonly input: Tensor;
  /** Further inputs by path, of a model that has some. */
  readonly further?: Readonly<Record<string, Tensor>>;
  /** Steps of each row of the batch, if they differ; the mask or the targets leave out what is past a row's end. */
  readonly lengths?: ArrayLike<number>;
  /** Which steps rows have, 1 or 0 in the input's order of steps and batch, if any may be missing. `mask` says which targets count. */
  readonly stepMask?: Tensor;
  /** Class indices or numbers, shaped as the loss wants them for the model's output. */
  readonly targets: Tensor;
  /** One weight per target, none negative; 0 leaves it out. All 1 if left out. */
  readonly mask?: Tensor;
  /** Whether carried states are set to zero first: this batch does not go on where the last one ended. */
  readonly startsSequence: boolean;
}

/** A batch as it may come from `TrainingData`: in whatever arrays the app has. A trainer copies it at once. */
export interface BatchLike {
  readonly input: TensorLike;
  readonly further?: Readonly<Record<string, TensorLike>>;
  readonly lengths?: Numbers;
  readonly stepMask?: TensorLike;
  readonly targets: TensorLike;
  readonly mask?: TensorLike;
  /** Default false. */
  readonly startsSequence?: boolean;
}

/** A source of batches. The batch of a step depends on the step alone, so a resumed run sees what it would have seen. */
export interface TrainingData {
  /** Number of different batches; after these they come again. */
  readonly batches: number;
  /** Whether batches go on where those before ended (default true); if not, they may differ in the number of rows. */
  readonly carriesState?: boolean;
  /**
   * May come as a promise; the next one is then asked for while the device computes.
   * @param batchFirst whether the model wants [batch, steps, ·] instead of [steps, batch, ·]
   */
  batch(step: number, batchFirst: boolean): BatchLike | Promise<BatchLike>;
}
