/** The browser's version of what starts a thread, as in browser.ts. */

/** Number of threads that can run at once. */
export function cores(): Promise<number> {
  const { navigator } = globalThis as { navigator?: { hardwareConcurrency?: number } };
  return Promise.resolve(navigator?.hardwareConcurrency ?? 1);
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
