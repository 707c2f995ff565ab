/**
 * What `npm test` leaves to the thorough runs: `npm test -- --all` and `--rest`, and the long lane. They find the files by
 * the names of these functions.
 */
import { it } from "vitest";

const thorough = Boolean(process.env.THOROUGH);

/** So many of a list, spread evenly, the first and the last among them. */
export const spread = <T>(all: readonly T[], count: number): readonly T[] =>
  count >= all.length
    ? all
    : Array.from({ length: count }, (_, i) => all[count === 1 ? 0 : Math.round((i * (all.length - 1)) / (count - 1))]);

/** Of many moments or sizes some; all of them in the thorough runs. */
export const sampled = <T>(all: readonly T[], few: number): readonly T[] => (thorough ? all : spread(all, few));

/** Of what has the same key the first; all of it in the thorough runs. */
export const firstOfEach = <T>(all: readonly T[], keyOf: (one: T) => string): readonly T[] =>
  thorough ? all : [...new Map(all.toReversed().map((one) => [keyOf(one), one])).values()].toReversed();

/**
 * Of some cases so many that each value of each property is among them, but at most eight; all in the thorough runs. Next
 * comes the case with the most new values, the first of several.
 */
export function eachValue<T>(all: readonly T[], propertiesOf: (one: T) => Readonly<Record<string, unknown>>): readonly T[] {
  if (thorough) return all;
  const shown = all.map((one) => Object.entries(propertiesOf(one)).map((property) => property.join(" ")));
  const missing = new Set(shown.flat());
  const chosen: T[] = [];
  while (missing.size > 0 && chosen.length < 8) {
    const added = shown.map((ones) => ones.filter((one) => missing.has(one)).length);
    const next = added.indexOf(Math.max(...added));
    shown[next].forEach((one) => missing.delete(one));
    chosen.push(all[next]);
  }
  return chosen;
}

/** On the CPU all of a list; on WebGPU, where a device compiles kernels for each, some as `sampled` says. */
export const sampledOn = <T>(kind: "cpu" | "webgpu", all: readonly T[], few: number): readonly T[] =>
  kind === "cpu" ? all : sampled(all, few);

const nothing = (): void => undefined;
const leftOut = Object.assign(() => undefined, { each: () => nothing, skipIf: () => nothing }) as unknown as typeof it;

/** A test of the thorough runs, and of the default run where `usual` holds. */
export const usuallyIf = (usual: boolean): typeof it => (thorough || usual ? it : leftOut);

/** A test of the thorough runs only. */
export const itThoroughly = usuallyIf(false);
