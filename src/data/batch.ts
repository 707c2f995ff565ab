import type { Numbers, TensorLike } from "../tensor/take.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** The data of one training step. */
export interface Batch {
  /** Ids [steps, batch] or numbers [steps, batch, features]; batch first if the model's layers are. */
  readonly input: Tensor;
  /** Further inputs by path, if the model has any. */
  readonly further?: Readonly<Record<string, Tensor>>;
  /**
   * Time steps of each row of the batch, if they differ. The mask or the targets must exclude what is past a row's end.
   */
  readonly lengths?: ArrayLike<number>;
  /** Which steps rows have, 1 or 0 in the input's order of steps and batch, if any may be missing. `mask` says which targets count. */
  readonly stepMask?: Tensor;
  /** Class indices or numbers, in the loss's shape for the model's output. */
  readonly targets: Tensor;
  /** One weight per target, not negative; 0 excludes the target. Default: all 1. */
  readonly mask?: Tensor;
  /** True if this batch does not continue where the last one ended. Carried states then start from zero. */
  readonly startsSequence: boolean;
}

/** A batch as `TrainingData` may return it: in any arrays. A trainer copies it at once. */
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

/** A source of batches. The batch of a step depends on the step alone, so a resumed run sees the same batches. */
export interface TrainingData {
  /** Number of different batches; after these they repeat. */
  readonly batches: number;
  /**
   * True (the default) if each batch continues where the one before ended. If false, batches may differ in their number
   * of rows.
   */
  readonly carriesState?: boolean;
  /**
   * May return a promise. The next batch is then requested while the device computes.
   * @param batchFirst true if the model expects [batch, steps, ·] instead of [steps, batch, ·]
   */
  batch(step: number, batchFirst: boolean): BatchLike | Promise<BatchLike>;
}
