/** What differs between browsers and Node, for Node (and Deno, which has Node's modules): see browser.ts. */

export function mayHaveGpu(): boolean {
  return true;
}

/** Dawn's entry point, held because its devices die with it. */
let found: Promise<unknown> | undefined;

/** @throws Error if the package `webgpu` is not installed, or does not load */
export function dawn(flags: readonly string[]): Promise<unknown> {
  found ??= load(flags);
  found.catch(() => (found = undefined));
  return found;
}

async function load(flags: readonly string[]): Promise<unknown> {
  // An optional peer: named through a variable, so that bundlers of programs for Node do not insist on it.
  const name = "webgpu";
  const { create, globals } = (await import(/* @vite-ignore */ /* webpackIgnore: true */ name)) as {
    create: (flags: readonly string[]) => object;
    globals: object;
  };
  Object.assign(globalThis, globals);
  return create(flags);
}

export async function startThread(script: string, data: object): Promise<() => unknown> {
  const { Worker } = await import("node:worker_threads");
  const text = `const { workerData, parentPort } = require("node:worker_threads");\n${script}work(workerData, () => parentPort.postMessage(0));`;
  // Without execArgv, which would hand on --input-type=module of `node -e`, and the text is a script.
  const worker = new Worker(text, { eval: true, workerData: data, execArgv: [] });
  await new Promise((ready, fail) => worker.once("message", ready).once("error", fail));
  // A program ends when it has nothing else to do.
  worker.unref();
  return () => worker.terminate();
}
