/** Finds a WebGPU device: the browser's, Deno's, or Dawn in Node through the optional peer dependency `webgpu`. */
import { dawn } from "#host";
import { RnnError } from "../../errors.ts";
import { environment } from "../why.ts";

export interface FoundDevice {
  readonly device: GPUDevice;
  /** e.g. "nvidia ampere (hardware)" or "google swiftshader (software)". */
  readonly adapter: string;
  /** True if a CPU emulates the GPU: correct, but slower than the CPU backend. */
  readonly software: boolean;
}

/** Limits to raise to the adapter's maximum: they bound the size of a model. */
const raisedLimits = ["maxStorageBufferBindingSize", "maxBufferSize"] as const;

/** Limits of workgroups to raise as far as kernels use them. */
export const workgroupLimits = {
  maxComputeInvocationsPerWorkgroup: 1024,
  maxComputeWorkgroupSizeX: 1024,
  maxComputeWorkgroupStorageSize: 32_768,
} as const;

/** What is asked for where the adapter has it: a clock for `calibrate` and for measurements. */
const optionalFeatures: readonly GPUFeatureName[] = ["timestamp-query"];

/**
 * A switch for Dawn in Node: clear workgroup memory by a loop, not by an initial value. SwiftShader turns an initial
 * value into one store for each element, and took 4 s instead of 0.4 s to compile a kernel with 16 KiB.
 */
export const dawnFlags: readonly string[] = ["disable-dawn-features=use_vulkan_zero_initialize_workgroup_memory_extension"];

async function findGpu(): Promise<GPU> {
  const own = (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu;
  if (own) return own;
  try {
    return (await dawn(dawnFlags)) as GPU;
  } catch (cause) {
    throw new RnnError("device", "WebGPU", `${(await environment.load()).whyNoWebGpu()}; or use the CPU backend`, { cause });
  }
}

/** Describes an adapter in words. */
export function describe({ vendor, architecture, device, description }: GPUAdapterInfo): string {
  const words = [vendor, architecture, device, description].filter(Boolean).join(" ");
  return [...new Set(words.split(/\s+/))].join(" ") || "unnamed adapter";
}

/** Whether a CPU computes what is asked of this adapter. Not every browser says so; then its name may. */
export const isSoftware = (info: GPUAdapterInfo & { isFallbackAdapter?: boolean }): boolean =>
  info.isFallbackAdapter || /swiftshader|llvmpipe|lavapipe|softpipe|warp|basic render/i.test(describe(info));

async function requestAdapter(gpu: GPU): Promise<GPUAdapter | null> {
  try {
    return await gpu.requestAdapter({ powerPreference: "high-performance" });
  } catch (cause) {
    throw new RnnError("device", "WebGPU", `the request for an adapter failed: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}

/**
 * @throws RnnError `device` if there is no WebGPU, no adapter, or the adapter gives no device
 */
export async function findDevice(): Promise<FoundDevice> {
  const gpu = await findGpu();
  const adapter = await requestAdapter(gpu);
  if (!adapter) throw new RnnError("device", "WebGPU", (await environment.load()).whyNoAdapter());
  const requiredLimits = Object.fromEntries([
    ...raisedLimits.map((name) => [name, adapter.limits[name]] as const),
    ...Object.entries(workgroupLimits).map(
      ([name, most]) => [name, Math.min(most, adapter.limits[name as keyof typeof workgroupLimits])] as const,
    ),
  ]);
  try {
    const requiredFeatures = optionalFeatures.filter((name) => adapter.features.has(name));
    const device = await adapter.requestDevice({ label: "webgpu-rnn", requiredLimits, requiredFeatures });
    const name = describe(adapter.info);
    const software = isSoftware(adapter.info);
    return { device, adapter: `${name} (${software ? "software" : "hardware"})`, software };
  } catch (cause) {
    throw new RnnError("device", "WebGPU", `the adapter ${describe(adapter.info)} gave no device`, { cause });
  }
}
