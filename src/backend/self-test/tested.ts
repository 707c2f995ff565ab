import { Avoided, packageVersion, type Failure, type SelfTest } from "../../kernels/self-test.ts";
import { Part } from "../../part.ts";
import { strategies } from "../../recurrent/strategies/all-strategies.ts";
import type { Backend } from "../backend.ts";
import type { WebGpuBackend } from "../webgpu/webgpu-backend.ts";

const testing = new Part("selfTest", () => import("./self-test.ts"));

/** True if another kernel can replace the failed one on the device. */
export function hasFallback({ kernel }: Failure, avoided: Avoided): boolean {
  if (Object.values(strategies).some(({ stems }) => stems.some((stem) => kernel.startsWith(stem)))) return true;
  if (kernel.startsWith("regularized-")) return kernel.includes("fused");
  return kernel.startsWith("matmul-") && !(avoided.has("matmul-naive") && avoided.has("matmul-block:strided-small"));
}

/**
 * The backend after its self-test, or the CPU backend instead.
 * @param kept the result of an earlier test, used instead of a new one if it is of this adapter and version
 */
export async function tested(
  backend: WebGpuBackend,
  kept: SelfTest | true,
  cpuBackend: (reason: string) => Promise<Backend>,
): Promise<Backend> {
  const version = `${packageVersion} ${await backend.pipelines.fingerprint()}`;
  const { adapter } = backend;
  let selfTest: SelfTest;
  if (kept !== true && kept.version === version && kept.adapter === adapter) selfTest = kept;
  else {
    const { testKernels } = await testing.load();
    try {
      selfTest = { version, adapter, ...(await testKernels(backend)) };
    } catch (error) {
      if (backend.ended === undefined) throw error;
      return cpuBackend(`the device was lost in its self-test: ${(error as Error).message}`);
    }
  }
  const { failures } = selfTest;
  const avoided = new Avoided(failures);
  const hopeless = failures.find((failure) => !hasFallback(failure, avoided));
  if (hopeless) {
    backend.destroy();
    const reason = `the self-test found ${hopeless.kernel} wrong on ${adapter}: ${hopeless.problem}; nothing else there computes the same`;
    return Object.assign(await cpuBackend(reason), { selfTest });
  }
  backend.selfTest = selfTest;
  if (failures.length > 0)
    backend.reason += `; the self-test found ${failures.map(({ kernel, problem }) => `${kernel} wrong (${problem})`).join(" and ")}: other kernels take their place`;
  return backend;
}
