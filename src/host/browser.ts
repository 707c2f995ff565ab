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

/**
 * Starts a thread with a script that defines `work(data, ready)`. Resolves when the thread is ready, to a function that
 * ends it.
 * @throws Error if the page may not start it
 */
export async function startThread(script: string, data: object): Promise<() => unknown> {
  if (typeof Worker === "undefined") throw new Error("workers and worklets like this one have no threads");
  const url = URL.createObjectURL(
    new Blob([`${script}onmessage = ({ data }) => work(data, () => postMessage(0));`], { type: "text/javascript" }),
  );
  const worker = new Worker(url);
  try {
    await new Promise((ready, fail) => {
      worker.onmessage = ready;
      worker.onerror = (event) => fail(new Error(event.message || "the page's content security policy must allow worker-src blob:"));
      worker.postMessage(data);
    });
  } catch (error) {
    worker.terminate();
    throw error;
  } finally {
    URL.revokeObjectURL(url);
  }
  return () => worker.terminate();
}
