// Calls with wrong values in every place. The answer must be a result or an RnnError in short words: never a TypeError,
// RangeError or ReferenceError of the engine.
import { RnnError } from "webgpu-rnn";
import type { Target } from "./targets.ts";
import { wrongValues } from "./wrong-values.ts";

/** A place of a call: an argument, or one option of it. */
export type Place = readonly [at: number, key: string | undefined];

export const placesOf = ({ args, call, keys }: Target): Place[] =>
  Array.from({ length: Math.max(args().length, call.length) }, (_, at) =>
    [undefined, ...(keys[at] ?? [])].map((key): Place => [at, key]),
  ).flat();

/** A value of `wrongValues` in a place. */
export interface Change {
  readonly place: Place;
  readonly value: string;
}

function changed({ args, call, keys }: Target, changes: readonly Change[]): never[] {
  const list = args();
  while (list.length < call.length) list.push(undefined);
  // A whole argument replaces what one of its options was.
  for (const {
    place: [at, key],
    value,
  } of [...changes].sort((a, b) => Number(a.place[1] === undefined) - Number(b.place[1] === undefined))) {
    list[at] =
      key === undefined || keys[at] === undefined
        ? wrongValues[value]()
        : Object.assign(Object.create(null) as object, list[at], { [key]: wrongValues[value]() });
  }
  return list as never[];
}

const words = (target: Target, changes: readonly Change[]): string =>
  `${target.name} with ${changes.map(({ place: [at, key], value }) => `${value} for ${key ?? `argument ${at + 1}`}`).join(" and ")}`;

/** Characters of a message: what came is quoted with 200 at most, and a remedy may list the options that there are. */
const longest = 600;

/** The fault of the answer, if it has one. */
export async function problemOf(target: Target, ...changes: readonly Change[]): Promise<string | undefined> {
  try {
    await target.call(...changed(target, changes));
  } catch (error) {
    const what = words(target, changes);
    if (!(error instanceof RnnError)) return `${what} gave ${error instanceof Error ? error.stack : String(error)}`;
    if (error.message.length > longest)
      return `${what} gave a message of ${error.message.length} characters: ${error.message.slice(0, 200)}`;
    if (error.where === "" || !error.message.startsWith(`${error.where}: `))
      return `${what} gave a message that names no place: ${error.message}`;
  }
  return undefined;
}

/** The problems of a target with every `stride`-th of all wrong values in all places, from the one numbered `first` on. */
export async function problemsOf(target: Target, stride = 1, first = 0): Promise<string[]> {
  const all = placesOf(target).flatMap((place) => Object.keys(wrongValues).map((value) => ({ place, value })));
  const problems: string[] = [];
  for (let i = first; i < all.length; i += stride) {
    const problem = await problemOf(target, all[i]);
    if (problem !== undefined) problems.push(problem);
  }
  return problems;
}

/** The problems of `count` calls with two wrong values each, drawn from a seed. */
export async function problemsOfPairs(targets: readonly Target[], count: number, seed: number): Promise<string[]> {
  let state = seed;
  const draw = <T>(list: readonly T[]): T =>
    list[Math.floor(((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32) * list.length)];
  const values = Object.keys(wrongValues);
  const problems: string[] = [];
  for (let i = 0; i < count; i++) {
    const target = draw(targets);
    const places = placesOf(target);
    const problem = await problemOf(target, { place: draw(places), value: draw(values) }, { place: draw(places), value: draw(values) });
    if (problem !== undefined) problems.push(problem);
  }
  return problems;
}
