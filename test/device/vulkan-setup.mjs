// Before any device test: give the test processes a WebGPU adapter, so that `npx vitest run test/device/x.test.ts`
// works as it stands. test/run.mjs has done so already when it starts Vitest, and says so.
import { nodeAdapter } from "../../scripts/vulkan.mjs";

export async function setup() {
  if (process.env.WEBGPU_PROBED) return;
  const { adapter, variables, reason } = await nodeAdapter();
  Object.assign(process.env, variables, { WEBGPU_PROBED: "1" });
  if (adapter === null) console.warn(`WebGPU lane skipped in node: ${reason}`);
}
