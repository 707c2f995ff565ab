/**
 * The browser's version of what differs between browsers and Node. Bundlers and pages get this file; Node gets node.ts
 * with the same exports (package.json, "imports"). Nothing here names a Node module.
 */

/** True if it is worth loading the WebGPU backend. */
export function mayHaveGpu(): boolean {
  return "gpu" in ((globalThis as { navigator?: object }).navigator ?? {});
}

/** WebGPU without `navigator.gpu`: not available in browsers. */
export function dawn(_flags: readonly string[]): Promise<unknown> {
  return Promise.reject(new Error("there is no navigator.gpu"));
}
