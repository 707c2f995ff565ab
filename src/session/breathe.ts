/**
 * Lets the event loop run (messages, painting, signals) without the 4 ms that nested timeouts cost in browsers. Worklets
 * that have nothing to let it run by go straight on.
 */
export function breathe(): Promise<void> {
  if (typeof MessageChannel === "undefined") return Promise.resolve();
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(0);
  });
}
