/** What has been measured on a device and decides between kernels that compute the same; plain JSON, to be kept by an app. */
import { reading, RnnError, show } from "../errors.ts";

/** Microseconds per time step of both ways to walk time (see `Strategy`), by units and rows of the profile's grid. */
export interface StrategyTimes {
  readonly loop: readonly (readonly number[])[];
  readonly step: readonly (readonly number[])[];
}

/**
 * What `calibrate` measures. All times are microseconds. Recurrent times are those of an LSTM layer, from which the
 * other cells' follow.
 */
export interface DeviceProfile {
  /** Changes with the kernels; profiles of other versions are left aside. */
  readonly version: number;
  /** Whose numbers these are; a profile of another adapter is left aside. */
  readonly adapter: string;
  /** Units H of the layers measured, ascending. */
  readonly units: readonly number[];
  /** Rows B of the batches measured, ascending. */
  readonly rows: readonly number[];
  /** A step of a layer of one unit: what dispatches and barriers cost by themselves. */
  readonly fixed: {
    readonly forward: { readonly loop: number; readonly step: number };
    readonly backward: { readonly loop: number; readonly step: number };
  };
  /** [units, rows] each. */
  readonly forward: StrategyTimes;
  readonly backward: StrategyTimes;
  /** A product with a long K, by ascending number of 4 x 4 blocks in C: each block by one thread, or by sixteen that share K. */
  readonly products: { readonly blocks: readonly number[]; readonly whole: readonly number[]; readonly split: readonly number[] };
}

export const profileVersion = 1;

/** Whether a profile's numbers are those of this adapter and of these kernels. */
export const profileFits = ({ version, adapter }: DeviceProfile, ofAdapter: string): boolean =>
  version === profileVersion && adapter === ofAdapter;

/** @throws RnnError `format` if `value` says that it is a profile of this version but has another form */
export const checkProfile = (where: string, value: unknown): void => reading("format", where, "profile", () => checkForm(where, value));

function checkForm(where: string, value: unknown): void {
  const refuse = (problem: string): never => {
    throw new RnnError("format", where, `profile must be what calibrate returned: ${problem}; leave it out and calibrate again`);
  };
  if (typeof value !== "object" || value === null || Array.isArray(value)) return refuse(`got ${show(value)}`);
  const profile = value as DeviceProfile;
  if (typeof profile.version !== "number" || typeof profile.adapter !== "string")
    refuse(`version and adapter must be a number and a string, got ${show(profile.version)} and ${show(profile.adapter)}`);
  if (profile.version !== profileVersion) return;
  const checkTimes = (name: string, times: unknown, length: number): void => {
    if (!Array.isArray(times) || times.length !== length || !times.every(isTime))
      refuse(`${name} must hold ${length} positive numbers, got ${show(times)}`);
  };
  const checkAxis = (name: string, axis: unknown): void => {
    checkTimes(name, axis, Array.isArray(axis) ? Math.max(1, axis.length) : 1);
    if ((axis as number[]).some((size, i, all) => i > 0 && size <= all[i - 1])) refuse(`${name} must ascend, got ${show(axis)}`);
  };
  checkAxis("units", profile.units);
  checkAxis("rows", profile.rows);
  checkAxis("products.blocks", profile.products?.blocks);
  checkTimes("products.whole", profile.products.whole, profile.products.blocks.length);
  checkTimes("products.split", profile.products.split, profile.products.blocks.length);
  for (const pass of ["forward", "backward"] as const) {
    for (const strategy of ["loop", "step"] as const) {
      checkTimes(`fixed.${pass}.${strategy}`, [profile.fixed?.[pass]?.[strategy]], 1);
      profile.units.forEach((H, i) => checkTimes(`${pass}.${strategy} at ${H} units`, profile[pass]?.[strategy]?.[i], profile.rows.length));
    }
  }
}

const isTime = (value: unknown): boolean => typeof value === "number" && Number.isFinite(value) && value > 0;

/** The value at `x` of what is `ys` at the ascending `xs`: straight lines between logarithms. */
export function interpolate(xs: readonly number[], ys: readonly number[], x: number): number {
  if (x <= xs[0] || xs.length === 1) return ys[0];
  const after = xs.findIndex((one, i) => i > 0 && x <= one);
  const i = after < 0 ? xs.length - 1 : after;
  const slope = Math.log(ys[i] / ys[i - 1]) / Math.log(xs[i] / xs[i - 1]);
  // Past the end time does not fall, whatever noise has made of the last two.
  return ys[i] * (x / xs[i]) ** (after < 0 ? Math.max(0, slope) : slope);
}
