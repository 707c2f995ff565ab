/** Tells backends when their device is lost. */
import { RnnError } from "../../errors.ts";
import type { Life } from "../life.ts";

/** A lent device outlives its backends, so each device has one listener, which keeps no backend alive. */
interface Told {
  readonly lives: Set<WeakRef<Life>>;
  error?: RnnError;
}

const told = new WeakMap<GPUDevice, Told>();

/** Ends `life` when the device is lost, or at once if it is lost already. */
export function endWithDevice(device: GPUDevice, life: Life): void {
  const known: Told = told.get(device) ?? { lives: new Set() };
  if (!told.has(device)) {
    told.set(device, known);
    void device.lost.then(({ reason, message }) => {
      const error = (known.error = new RnnError(
        "device",
        "WebGPU",
        `the device is gone (${reason || "unknown reason"}: ${message}); make a new backend and go on from the last checkpoint`,
      ));
      for (const one of known.lives) one.deref()?.end("lost", error);
    });
  }
  if (known.error) life.end("lost", known.error);
  for (const one of known.lives) if (one.deref()?.ended ?? true) known.lives.delete(one);
  known.lives.add(new WeakRef(life));
}
