/** The memory that a training step will take. */
import type { View } from "../recording/recording.ts";
import { memoryOf, type MemoryUse } from "../session/memory.ts";
import type { TakenBatch } from "./loss-recorder.ts";
import type { Update } from "./optimizer-state.ts";
import type { TrainingState } from "./training-state.ts";

/** Those of a recording's external buffers that hold carried states. */
export const carriedOf = (externals: ReadonlyMap<string, View>): [string, View][] =>
  [...externals].filter(([label]) => label.startsWith("carried."));

export async function plannedStep({ session, recorder, history }: TrainingState, batch: TakenBatch, update: Update): Promise<MemoryUse> {
  const { recording, externals } = await session.record(recorder.planOf(batch, update), (context) =>
    recorder.finish(context, batch, update),
  );
  const { keepsStatistics, length, trainedLength } = session.store;
  const statistics = keepsStatistics ? length - trainedLength : 0;
  const once = carriedOf(externals).reduce((sum, [, { buffer }]) => sum + buffer.length, statistics);
  return memoryOf(recording, session.backend, history.copies * once);
}
