/** Counts what any library asks of WebGPU, ours and the peers alike, by standing in front of the two calls. */

export interface GpuCalls {
  dispatches: number;
  submits: number;
}

type Method = (this: object, ...args: unknown[]) => unknown;

/** Runs `work` and says how many dispatches and submits it came to. Not for timing: counting costs a little. */
export async function countGpuCalls(work: () => Promise<void>): Promise<GpuCalls> {
  const calls: GpuCalls = { dispatches: 0, submits: 0 };
  const undo = [
    watch("GPUComputePassEncoder", "dispatchWorkgroups", () => calls.dispatches++),
    watch("GPUComputePassEncoder", "dispatchWorkgroupsIndirect", () => calls.dispatches++),
    watch("GPUQueue", "submit", () => calls.submits++),
  ];
  try {
    await work();
  } finally {
    for (const restore of undo) restore();
  }
  return calls;
}

function watch(type: string, name: string, count: () => void): () => void {
  const prototype = (globalThis as unknown as Record<string, { prototype: Record<string, Method> } | undefined>)[type]?.prototype;
  const original = prototype?.[name];
  if (!prototype || !original) return () => undefined;
  prototype[name] = function (this: object, ...args: unknown[]) {
    count();
    return original.apply(this, args);
  };
  return () => void (prototype[name] = original);
}
