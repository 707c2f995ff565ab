/** The browser's version of what starts a thread, as in browser.ts. */

/** Number of threads that can run at once. */
export function cores(): Promise<number> {
  const { navigator } = globalThis as { navigator?: { hardwareConcurrency?: number } };
  return Promise.resolve(navigator?.hardwareConcurrency ?? 1);
}

/**
 * Starts a thread with a script that defines `work(data, ready)`. Resolves when the thread is ready. `over` resolves when
 * its work is, or when it was ended from outside, where the host tells.
 * @throws Error if the page may not start it
 */
export async function startThread(script: string, data: object): Promise<{ over: Promise<unknown>; terminate: () => unknown }> {
  if (typeof Worker === "undefined") throw new Error("workers and worklets like this one have no threads");
  const url = URL.createObjectURL(
    new Blob(
      [
        `${script}const tell = (text) => postMessage(text);\nonmessage = ({ data }) => work(data, tell).then(tell, ({ message }) => tell(message));`,
      ],
      { type: "text/javascript" },
    ),
  );
  const worker = new Worker(url);
  const terminate = () => worker.terminate();
  try {
    await new Promise<void>((ready, fail) => {
      worker.onmessage = ({ data: problem }) => (problem === undefined ? ready() : fail(new Error(String(problem))));
      worker.onerror = (event) => fail(new Error(event.message || "the page's content security policy must allow worker-src blob:"));
      worker.postMessage(data);
    });
  } catch (error) {
    terminate();
    throw error;
  } finally {
    URL.revokeObjectURL(url);
  }
  return { over: new Promise((resolve) => (worker.onmessage = resolve)), terminate };
}
