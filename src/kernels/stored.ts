/** Checks of what apps may have stored and give back: profiles of devices, and results of self-tests. */
import { reading, RnnError, show } from "../errors.ts";
import { profileVersion, type DeviceProfile } from "./device-profile.ts";
import type { Failure, SelfTest } from "./self-test.ts";

/** @throws RnnError `format` if `value` claims this version but does not have its form */
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

/** @throws RnnError `format` unless `value` is a self-test's result */
export function checkSelfTest(where: string, value: unknown): void {
  if (reading("format", where, "selfTest", () => isSelfTest(value))) return;
  throw new RnnError(
    "format",
    where,
    `selfTest must be true, false or an earlier backend.selfTest, got ${show(value)}; leave it out or test again with true`,
  );
}

/** Most failures in a valid result: more than there are kernels. */
const mostFailures = 10_000;

function isSelfTest(value: unknown): boolean {
  const { version, adapter, tested, failures } = (value ?? {}) as Partial<SelfTest>;
  const isFailure = (one: unknown): boolean =>
    typeof (one as Failure | undefined)?.kernel === "string" && typeof (one as Failure).problem === "string";
  return (
    typeof version === "string" &&
    typeof adapter === "string" &&
    typeof tested === "number" &&
    Array.isArray(failures) &&
    failures.length <= mostFailures &&
    failures.every(isFailure)
  );
}
