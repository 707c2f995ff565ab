/** Makes the WebGPU backend, or another one where no device will do. */
import { RnnError } from "../../errors.ts";
import { Part } from "../../part.ts";
import type { Backend } from "../backend.ts";
import type { BackendOptions } from "../create-backend.ts";
import { WebGpuBackend } from "./webgpu-backend.ts";

const testing = new Part("selfTest", () => import("../self-test/tested.ts"));

/**
 * @param cpuBackend makes the backend that takes the place of a missing device, of a software adapter that nobody asked for,
 * and of a device that computes wrong
 * @throws RnnError `device` if there is no device and `kind` is "webgpu"
 */
export async function createWebGpu(
  kind: "auto" | "webgpu",
  { shaders, device, profile, selfTest = false }: Pick<BackendOptions, "shaders" | "device" | "profile" | "selfTest">,
  cpuBackend: (reason: string) => Promise<Backend>,
): Promise<Backend> {
  try {
    const reason = kind === "auto" ? "this device has a GPU" : "asked for";
    const backend = await WebGpuBackend.create({ shaders, device, profile, reason });
    if (kind === "webgpu" || device || backend.isGpu)
      return selfTest === false ? backend : await (await testing.load()).tested(backend, selfTest, cpuBackend);
    backend.destroy();
    return await cpuBackend(`the only WebGPU adapter is ${backend.adapter}, slower than the CPU itself`);
  } catch (error) {
    if (kind === "webgpu" || !(error instanceof RnnError && error.kind === "device")) throw error;
    return cpuBackend(error.message);
  }
}
