// Imported before jax-js, which computes on as many workers as there are cores, from its import on; here all have one thread.
// A setter that does nothing, since another library defines a Worker of its own under Node.
Object.defineProperty(globalThis, "Worker", { get: () => undefined, set: () => undefined, configurable: true });
