/** What a trainer does with checkpoints; loaded when it is first asked to. */
import type { BatchLike } from "../data/batch.ts";
import { checkCarried, checkOptimizer } from "./check-checkpoint.ts";
import { decodeCheckpoint } from "./checkpoint.ts";
import { carriedOf } from "./planned-step.ts";
import type { Recovery } from "./recovery.ts";
import type { Snapshot } from "./training-state.ts";
import { captured, slotShapes, writeHost, writeSnapshot } from "./write-snapshot.ts";

export { encodeCheckpoint } from "./checkpoint.ts";

/** What a trainer has besides its recovery. */
interface Owner {
  readonly batchOf: (step: number) => BatchLike | Promise<BatchLike>;
  /** @throws RnnError `option` if trainer or model have been disposed of meanwhile */
  readonly checkUsable: () => void;
}

/** Puts a training into the state of a checkpoint. @throws RnnError `format`, `data` or `shape` if the checkpoint does not fit; nothing has changed then */
export async function restore(file: Uint8Array, recovery: Recovery, { batchOf, checkUsable }: Owner): Promise<void> {
  const { seed, optimizer } = recovery.training;
  const checkpoint = decodeCheckpoint(file, { optimizerName: optimizer.name, seed });
  const next = await batchOf(checkpoint.step);
  checkUsable();
  const { recorder, session, optimizer: slots } = recovery.state;
  checkOptimizer(checkpoint.optimizer, slotShapes(slots));
  const batch = recorder.take(next);
  const { externals } = await session.record(recorder.planOf(batch), () => undefined);
  const shapes = new Map(carriedOf(externals).map(([label, { shape }]) => [label, shape]));
  checkCarried(checkpoint.carried, checkpoint.step, shapes, batch.startsSequence);
  checkUsable();
  const { state } = recovery;
  if (recovery.isLost(state)) writeHost(state, checkpoint);
  else writeSnapshot(state, checkpoint);
  recovery.hasWritten(captured(state, checkpoint as unknown as Snapshot));
}
