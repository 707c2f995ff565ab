/** Measures a device, so that what computes the same in several ways is done in the way that is fastest there. */
import type { Backend } from "../backend/backend.ts";
import type { DeviceProfile } from "../kernels/device-profile.ts";
import { checkBackend } from "./session.ts";

const underWay = new WeakMap<Backend, Promise<DeviceProfile>>();

/**
 * Measures the device of a backend and lets recordings made from then on go by the result, `backend.profile`; those
 * made before stay as they are. Takes under a second where there is a GPU, besides compiling some 15 pipelines, and
 * little more where a CPU stands in for one: what would take too long is taken in proportion to what was measured.
 * A backend that has a profile returns it. On the CPU there is nothing to choose, and the result is undefined.
 *
 * A profile is plain JSON. Handed to `createBackend` the next time, it saves the measurement and repeats the choices.
 * @throws RnnError `device` if the device is lost
 */
export async function calibrate(backend: Backend): Promise<DeviceProfile | undefined> {
  checkBackend(backend, "calibrate");
  if (backend.kind === "cpu" || backend.profile) return backend.profile;
  let measuring = underWay.get(backend);
  if (!measuring) {
    measuring = import("./measure.ts").then(({ measure }) => measure(backend)).finally(() => underWay.delete(backend));
    underWay.set(backend, measuring);
  }
  return (backend.profile = await measuring);
}
