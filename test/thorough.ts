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

/** On the CPU all of a list; on WebGPU, where a device compiles kernels for each, some as `sampled` says. */
export const sampledOn = <T>(kind: "cpu" | "webgpu", all: readonly T[], few: number): readonly T[] =>
  kind === "cpu" ? all : sampled(all, few);

const leftOut = Object.assign(() => undefined, { each: () => () => undefined }) as unknown as typeof it;

/** A test of the thorough runs, and of the default run where `usual` holds. */
export const usuallyIf = (usual: boolean): typeof it => (thorough || usual ? it : leftOut);

/** A test of the thorough runs only. */
export const itThoroughly = usuallyIf(false);
