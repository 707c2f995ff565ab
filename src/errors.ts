/**
 * The kind of an error, so that a program can react without reading the message.
 *
 * - `shape`: an argument has the wrong rank or size
 * - `option`: an option has an unknown name or a value outside its range
 * - `data`: tokens, text, targets or numbers that cannot be used (out of range, empty, NaN)
 * - `numeric`: training produced NaN or infinity
 * - `device`: no WebGPU, or the device was lost or refused a command
 * - `limit`: a shape needs more than the device offers, or more than the package allows
 * - `format`: a file or checkpoint is truncated, foreign or does not match the model
 * - `load`: code of the package that is loaded on first use did not arrive; call again, or reload the page, as Firefox needs it
 */
export type ErrorKind = "shape" | "option" | "data" | "numeric" | "device" | "limit" | "format" | "load";

/** The one error type of the package: `where: what was expected, what came`, plus a remedy where there is one. */
export class RnnError extends Error {
  override readonly name = "RnnError";

  constructor(
    /** The kind of the error, for programs. */
    readonly kind: ErrorKind,
    /** The class, function or argument that threw it. */
    readonly where: string,
    problem: string,
    options?: { cause?: unknown },
  ) {
    super(
      `${typeof where === "string" ? clip(where) : show(where)}: ${typeof problem === "string" ? clip(problem, 2000) : show(problem)}`,
      options,
    );
  }
}

/** Most characters of a value that a message quotes. */
const mostQuoted = 200;

/** Shortens a text for a message. */
export function clip(text: string, most = mostQuoted): string {
  return text.length <= most ? text : `${text.slice(0, most)}… (${text.length} characters)`;
}

/** Formats an unexpected value, short enough for a message. Reads as little of it as possible, and never throws. */
export function show(value: unknown): string {
  try {
    return clip(describe(value, 0));
  } catch {
    return "an object that cannot be read";
  }
}

function describe(value: unknown, depth: number): string {
  if (typeof value === "string")
    return value.length > 100 ? `${JSON.stringify(value.slice(0, 100))}… (${value.length} characters)` : JSON.stringify(value);
  if (typeof value === "bigint") return `${clip(String(value), 40)}n`;
  if (Array.isArray(value))
    return value.length > 12 || depth > 1
      ? `an array of ${value.length}`
      : `[${Array.from(value, (one) => describe(one, depth + 1)).join(", ")}]`;
  if (typeof value === "function") return "a function";
  if (typeof value !== "object" || value === null) return String(value);
  const { name } = (value as { constructor?: { name?: unknown } }).constructor ?? {};
  const kind = typeof name === "string" && name !== "" ? clip(name, 40) : "object";
  return `${/^[aeio]/i.test(kind) ? "an" : "a"} ${kind}`;
}

/** Formats names for a message: the first few, and how many more there are. */
export function listed(names: readonly string[], most = 6): string {
  const some = names
    .slice(0, most)
    .map((name) => `"${clip(name, 60)}"`)
    .join(", ");
  return names.length > most ? `${some} and ${names.length - most} more` : some;
}

/**
 * Reads the caller's objects, where a getter or a Proxy may throw.
 * @throws RnnError of this kind with the caller's error as its cause
 */
export function reading<T>(kind: ErrorKind, where: string, name: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof RnnError) throw cause;
    throw new RnnError(kind, where, `${name} could not be read: ${reasonOf(cause)}`, { cause });
  }
}

/** Formats a thrown value, which can be anything. */
export function reasonOf(thrown: unknown): string {
  try {
    return thrown instanceof Error ? clip(thrown.message) : show(thrown);
  } catch {
    return show(thrown);
  }
}

/**
 * Calls `make`, which may need more memory than there is.
 * @throws RnnError `limit`
 */
export function allocating<T>(where: string, what: string, make: () => T): T {
  try {
    return make();
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new RnnError("limit", where, `${what} does not fit into memory`, { cause });
  }
}

/** Most numbers of a layer, a parameter or an array made for one call: a gibibyte in float32. */
export const mostNumbers = 2 ** 28;

/**
 * Must be called before an array is allocated. @throws RnnError `limit` if `count` numbers are too many for one array
 */
export function checkCount(where: string, what: string, count: number, most = mostNumbers): number {
  if (count <= most) return count;
  throw new RnnError(
    "limit",
    where,
    `${what} would have ${Number.isSafeInteger(count) ? count : count.toPrecision(3)} numbers, and ${most} is the limit`,
  );
}

/** @throws RnnError `option` unless `value` is one of `allowed` */
export function checkChoice<T extends string>(where: string, name: string, value: unknown, allowed: readonly T[]): T {
  if (allowed.includes(value as T)) return value as T;
  throw new RnnError("option", where, `${name} must be ${allowed.map((a) => JSON.stringify(a)).join(" or ")}, got ${show(value)}`);
}

/** @throws RnnError `option` unless `value` is an integer with `least <= value <= most` */
export function checkInteger(where: string, name: string, value: unknown, least: number, most = Number.MAX_SAFE_INTEGER): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= least && value <= most) return value;
  throw new RnnError(
    "option",
    where,
    `${name} must be an integer of at least ${least}${most === Number.MAX_SAFE_INTEGER ? "" : ` and at most ${most}`}, got ${show(value)}`,
  );
}

/**
 * Checks a number of things to make, before anything is allocated.
 * @throws RnnError `option` unless `value` is an integer of at least `least`, `limit` if it is above `most`
 */
export function checkSize(where: string, name: string, value: unknown, least: number, most = mostNumbers): number {
  const size = checkInteger(where, name, value, least);
  if (size > most) throw new RnnError("limit", where, `${name} must be at most ${most}, got ${size}`);
  return size;
}

/** The largest finite number of float32, in which devices compute. */
export const mostFloat = (2 - 2 ** -23) * 2 ** 127;

/** @throws RnnError `option` unless `least <= value <= most` (or `least < value` if `open`), and finite in float32 */
export function checkNumber(
  where: string,
  name: string,
  value: unknown,
  { least = -mostFloat, most = mostFloat, open = false }: { least?: number; most?: number; open?: boolean } = {},
): number {
  if (typeof value === "number" && value <= most && (open ? value > least : value >= least)) return value;
  const low = least === -mostFloat ? "" : ` ${open ? "above" : "of at least"} ${least}`;
  const tooLarge = typeof value === "number" && Number.isFinite(value) && Math.abs(value) > mostFloat;
  const high =
    most === mostFloat ? (tooLarge ? `${low ? " and" : " of"} at most 3.4e38 in size` : "") : `${low ? " and" : ""} at most ${most}`;
  throw new RnnError("option", where, `${name} must be a finite number${low}${high}, got ${show(value)}`);
}

/** A class is a function too, but cannot be called as one. */
const isClass = (value: unknown): boolean => typeof value === "function" && /^class\b/.test(Function.prototype.toString.call(value));

/** @throws RnnError `option` unless `value` is a function */
export function checkFunction(where: string, name: string, value: unknown): void {
  if (typeof value !== "function" || isClass(value))
    throw new RnnError("option", where, `${name} must be a function, got ${isClass(value) ? "a class" : show(value)}`);
}

/** @throws RnnError `option` unless `value` is true or false */
export function checkBoolean(where: string, name: string, value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw new RnnError("option", where, `${name} must be true or false, got ${show(value)}`);
}
