// Imported before jax-js, which computes on as many workers as there are cores, from its import on; here all have one thread.
// A setter that does nothing, since another library defines a Worker of its own under Node.
// Kept where ours.ts finds it.
const scope = globalThis as { [hidden: symbol]: unknown; Worker?: unknown };
scope[Symbol.for("the engine's Worker")] ??= scope.Worker;
Object.defineProperty(globalThis, "Worker", { get: () => undefined, set: () => undefined, configurable: true });
