import { sizeOf } from "../tensor/shape.ts";
import { overlap, usesOf, type Buffer, type Recording, type View } from "./recording.ts";

/** Tells which views stay from run to run: settled ones, unless commands that are not derived write to them. */
export function staying(recording: Recording): (view: View) => boolean {
  const written = recording.commands.slice(recording.derived).flatMap((command) => usesOf(command).writes);
  // Steps write the same views again and again.
  const changing = new Map<Buffer, Map<string, View>>();
  for (const view of written.filter((view) => recording.isSettled([view]))) {
    const views = changing.get(view.buffer) ?? new Map<string, View>();
    changing.set(view.buffer, views.set(`${view.offset} ${sizeOf(view.shape)}`, view));
  }
  return (view) => recording.isSettled([view]) && ![...(changing.get(view.buffer)?.values() ?? [])].some((other) => overlap(view, other));
}
