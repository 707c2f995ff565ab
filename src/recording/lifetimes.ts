/** Which transient buffers may share memory: those never alive at the same time. */
import type { ElementType } from "../kernels/kernel.ts";
import { usesOf, type Buffer, type Recording } from "./recording.ts";

export interface MemoryPlan {
  /** Pieces of memory: element type and number of elements. */
  readonly slots: readonly { readonly type: ElementType; readonly length: number }[];
  /** The piece of memory of each transient buffer. */
  readonly slotOf: ReadonlyMap<Buffer, number>;
}

/**
 * First and last command that touches each transient buffer. Downloads are handed over behind the last command,
 * wherever they stand.
 */
export function lifetimes(recording: Recording): Map<Buffer, { first: number; last: number }> {
  const spans = new Map<Buffer, { first: number; last: number }>();
  recording.commands.forEach((command, index) => {
    const { reads, writes } = usesOf(command);
    for (const { buffer } of [...reads, ...writes]) {
      if (buffer.role !== "transient") continue;
      const span = spans.get(buffer);
      const last = command.kind === "download" ? recording.commands.length : index;
      if (span) span.last = Math.max(span.last, last);
      else spans.set(buffer, { first: index, last });
    }
  });
  return spans;
}

/**
 * Greedy by first use: a buffer takes the free piece of memory it fits best, else a new one.
 * With `share` false each buffer has its own, so that all can be looked at after a run.
 */
export function planMemory(recording: Recording, { share }: { share: boolean }): MemoryPlan {
  const slots: { type: ElementType; length: number }[] = [];
  const freeAfter: number[] = [];
  const slotOf = new Map<Buffer, number>();
  const spans = [...lifetimes(recording)].sort((a, b) => a[1].first - b[1].first);
  for (const [buffer, { first, last }] of spans) {
    let best = -1;
    if (share) {
      for (let i = 0; i < slots.length; i++) {
        const fits = freeAfter[i] < first && slots[i].type === buffer.type && slots[i].length >= buffer.length;
        if (fits && (best < 0 || slots[i].length < slots[best].length)) best = i;
      }
    }
    if (best < 0) best = slots.push({ type: buffer.type, length: buffer.length }) - 1;
    freeAfter[best] = last;
    slotOf.set(buffer, best);
  }
  return { slots, slotOf };
}
