/** Readings of parameters for calls that return before their turn comes. */
import { Parameter } from "../nn/parameter.ts";
import type { Held, ParameterStore, Place } from "../session/parameter-store.ts";
import { readingsOf, type Reading } from "../session/reading.ts";

/** The latest values of some parameters; undefined where another device has them. They are replaced, never written to. */
const held = (places: readonly Place[]): Held[] =>
  places.map((place) => {
    const { version, newest, hostValues } = place.parameter;
    return { place, version, values: newest ? undefined : hostValues };
  });

/**
 * Opens a reading of the parameters as they are now, for a run whose turn comes later. Of what another device has
 * changed, it reads the values of that turn. The caller closes it.
 */
export function readingNow(store: ParameterStore): Reading {
  const readings = readingsOf(store);
  const moment = readings.latestMoment();
  const stale = held(store.stale());
  if (stale.length === 0) return readings.add(moment);
  return readings.add(moment, async (lasting) => {
    const elsewhere = stale.filter(({ values }) => !values).map(({ place }) => place);
    await Parameter.readAll(elsewhere.map(({ parameter }) => parameter));
    const all = [...stale.filter(({ values }) => values), ...held(elsewhere)];
    if (lasting) store.take(all, moment);
    else for (const one of all) store.put(one);
  });
}
