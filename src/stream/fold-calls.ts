/** Calls of a loop, which differ by equal steps of their arguments, as groups. */
import type { SavedCall, SavedGroup } from "./stream-file.ts";

/** Most calls that a loop has. */
const longest = 16;

const argsOf = ([, ...args]: SavedCall): number[] => args;

/** How the arguments grow from one call to another; undefined if the calls are of different kinds. */
function stepsBetween(one: SavedCall, next: SavedCall | undefined): number[] | undefined {
  if (next === undefined || next[0] !== one[0] || next.length !== one.length) return undefined;
  const before = argsOf(one);
  return argsOf(next).map((arg, i) => arg - before[i]);
}

/** How often the `period` calls from `at` on come one behind the other, and their steps. */
function loopAt(calls: readonly SavedCall[], at: number, period: number) {
  const steps: number[][] = [];
  let same = 0;
  for (; ; same++) {
    const found = stepsBetween(calls[at + same], calls[at + same + period]);
    if (!found) break;
    const known = steps[same % period];
    if (same < period) steps.push(found);
    else if (found.some((step, i) => step !== known[i])) break;
  }
  return { times: 1 + Math.floor(same / period), steps };
}

export function folded(calls: readonly SavedCall[]): SavedGroup[] {
  const groups: SavedGroup[] = [];
  let alone: SavedCall[] = [];
  for (let at = 0; at < calls.length;) {
    let best = { times: 1, steps: [] as number[][], period: 1 };
    for (let period = 1; period <= longest && at + period < calls.length; period++) {
      const loop = loopAt(calls, at, period);
      if (loop.times > 1 && loop.times * period > best.times * best.period) best = { ...loop, period };
    }
    const part = calls.slice(at, at + best.period);
    at += best.times * best.period;
    if (best.times === 1) {
      alone.push(...part);
      continue;
    }
    if (alone.length > 0) groups.push([1, alone]);
    alone = [];
    groups.push([best.times, part, best.steps]);
  }
  if (alone.length > 0) groups.push([1, alone]);
  return groups;
}
