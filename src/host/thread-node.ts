/** Node's version of what starts a thread, as in node.ts. */

export async function cores(): Promise<number> {
  return (await import("node:os")).availableParallelism();
}

/** As in thread-browser.ts. */
export async function startThread(script: string, data: object): Promise<{ over: Promise<unknown>; terminate: () => unknown }> {
  const { Worker } = await import("node:worker_threads");
  const text = `const { workerData, parentPort } = require("node:worker_threads");\n${script}const tell = () => parentPort.postMessage(0);\nwork(workerData, tell).then(tell);`;
  // Empty execArgv: otherwise the thread inherits --input-type=module from `node -e`, but the text is a script.
  const worker = new Worker(text, { eval: true, workerData: data, execArgv: [] });
  await new Promise((ready, fail) => {
    worker.once("message", ready).once("error", fail);
    worker.once("exit", () => fail(new Error("it was ended while it started")));
  });
  const over = new Promise((resolve) => worker.once("message", resolve).once("exit", resolve));
  // Do not keep a program running that has nothing else to do.
  worker.unref();
  return { over, terminate: () => worker.terminate() };
}
