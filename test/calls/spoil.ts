/** What callers do to their arguments after a call, or while it reads them. */

/**
 * True for what an app expects to live on after the call: functions, objects with methods (data, a loss), and instances of
 * classes (a model, a backend, a signal).
 */
function isLive(value: unknown): boolean {
  if (typeof value === "function") return true;
  if (typeof value !== "object" || value === null || Array.isArray(value) || ArrayBuffer.isView(value)) return false;
  const isPlain = [Object.prototype, null].includes(Object.getPrototypeOf(value) as object | null);
  return !isPlain || Object.values(value).some((one) => typeof one === "function");
}

/** Overwrites everything that can be, as a page does that reuses its arrays. */
export function spoil(value: unknown): void {
  if (isLive(value)) return;
  if (ArrayBuffer.isView(value)) (value as Int8Array).fill(117);
  else if (Array.isArray(value))
    for (let i = value.length; i-- > 0;) {
      spoil(value[i]);
      value[i] = 1e9;
    }
  else if (typeof value === "object" && value !== null)
    for (const [name, inner] of Object.entries(value)) {
      spoil(inner);
      (value as Record<string, unknown>)[name] = "spoilt";
    }
}

/** The same value, of which each property may be read once. */
export function readOnce(value: unknown): unknown {
  if (typeof value !== "object" || value === null || isLive(value) || ArrayBuffer.isView(value) || Array.isArray(value)) return value;
  const made = {};
  for (const [name, inner] of Object.entries(value)) {
    let reads = 0;
    Object.defineProperty(made, name, {
      enumerable: true,
      get: () => {
        if (reads++ > 0) throw new Error(`${name} was read twice`);
        return readOnce(inner);
      },
    });
  }
  return made;
}

/** The same value, which nobody may write to. Arrays of numbers cannot be frozen. */
export function frozen<T>(value: T): T {
  if (typeof value === "object" && value !== null && !isLive(value) && !ArrayBuffer.isView(value))
    Object.values(Object.freeze(value)).forEach(frozen);
  return value;
}
