/** Plans which transient buffers share memory: those that are never needed at the same time. */
import type { ElementType } from "../kernels/kernel.ts";
import { usesOf, type Buffer, type Recording } from "./recording.ts";

export interface MemoryPlan {
  /** Pieces of memory, each with an element type and a number of elements. */
  readonly slots: readonly { readonly type: ElementType; readonly length: number }[];
  /** The piece of memory of each transient buffer. */
  readonly slotOf: ReadonlyMap<Buffer, number>;
}

/**
 * First and last command that uses each transient buffer. Downloads are read after the last command, whatever their
 * place in the list. Derived buffers outlive the run, so no other buffer may use their memory.
 */
export function lifetimes(recording: Recording): Map<Buffer, Span> {
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
  const { derived, commands } = recording;
  for (const span of spans.values()) {
    if (span.first >= derived || span.last < derived) continue;
    span.first = 0;
    span.last = commands.length;
  }
  return spans;
}

interface Span {
  readonly first: number;
  readonly last: number;
}

/**
 * Greedy by size: the largest buffers get memory first. Each other buffer gets the smallest piece that is free for its
 * whole lifetime. (In order of first use, a small long-lived buffer would block a large piece.) With `share` false,
 * each buffer has its own piece, so that all can be read after a run.
 */
export function planMemory(recording: Recording, { share }: { share: boolean }): MemoryPlan {
  const slots: { type: ElementType; length: number; taken: Span[] }[] = [];
  const slotOf = new Map<Buffer, number>();
  const spans = [...lifetimes(recording)];
  if (share) spans.sort(([a], [b]) => b.length - a.length);
  for (const [buffer, span] of spans) {
    // Slots were made in the order of their sizes: the last that is free is the smallest.
    const free = share
      ? slots.findLastIndex(
          ({ type, taken }) => type === buffer.type && taken.every(({ first, last }) => last < span.first || span.last < first),
        )
      : -1;
    if (free >= 0) slots[free].taken.push(span);
    slotOf.set(buffer, free >= 0 ? free : slots.push({ type: buffer.type, length: buffer.length, taken: [span] }) - 1);
  }
  return { slots: slots.map(({ type, length }) => ({ type, length })), slotOf };
}
