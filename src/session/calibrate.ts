/** Measures a device, so that ops can choose the kernels that are fastest on it. */
import type { Backend } from "../backend/backend.ts";
import type { DeviceProfile } from "../kernels/device-profile.ts";
import { Part } from "../part.ts";
import { checkBackend } from "./session.ts";

const measuring = new Part("calibrate", () => import("./measure.ts"));

const underWay = new WeakMap<Backend, Promise<DeviceProfile>>();

/**
 * Measures the device of a backend. New recordings use the result, `backend.profile`; existing ones stay as they are.
 * It compiles some 15 pipelines and then takes under a second on a GPU, and little more on a software adapter, because
 * it extrapolates the sizes that would take too long. If the backend has a profile already, it is returned. On the CPU
 * there is nothing to choose, and the result is undefined.
 *
 * A profile is plain JSON. Pass it to `createBackend` the next time: that saves the measurement and repeats the
 * choices.
 * @throws RnnError `device` if the device is lost
 */
export async function calibrate(backend: Backend): Promise<DeviceProfile | undefined> {
  checkBackend(backend, "calibrate");
  if (backend.kind === "cpu" || backend.profile) return backend.profile;
  let measured = underWay.get(backend);
  if (!measured) {
    measured = measuring
      .load()
      .then(({ measure }) => measure(backend))
      .finally(() => underWay.delete(backend));
    underWay.set(backend, measured);
  }
  return (backend.profile = await measured);
}
