/**
 * Node only. Dawn asks its device through `setImmediate`, without a pause, whether anything is over: while another thread
 * compiles a pipeline, which takes a software adapter seconds, that keeps a core busy. Here it asks once a millisecond
 * instead, after the first two milliseconds of a wait.
 */
const polls = globalThis as typeof globalThis & { pollsAreCalm?: true };

function calm(): void {
  const soon = globalThis.setImmediate;
  let began = 0;
  let asking = false;
  globalThis.setImmediate = ((callback: (...args: unknown[]) => void, ...args: unknown[]) => {
    // Only Dawn hands over a function that is not written in JavaScript; while it waits it does so from within the last one.
    if (!Function.prototype.toString.call(callback).includes("[native code]")) return soon(callback, ...args);
    if (!asking) began = performance.now();
    const ask = (): void => {
      asking = true;
      try {
        callback(...args);
      } finally {
        asking = false;
      }
    };
    return performance.now() - began < 2 ? soon(ask) : setTimeout(ask, 1);
  }) as typeof setImmediate;
}

// Vitest runs this before each file, and the files share processes.
if (!polls.pollsAreCalm) calm();
polls.pollsAreCalm = true;
export {};
