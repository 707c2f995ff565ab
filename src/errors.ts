/**
 * What went wrong, so that a program can react without reading the message.
 *
 * - `shape`: an argument has the wrong rank or size
 * - `option`: an option has an unknown name or a value outside its range
 * - `data`: tokens, text, targets or numbers that cannot be used (out of range, empty, NaN)
 * - `numeric`: training produced NaN or infinity
 * - `device`: no WebGPU, or the device was lost or refused a command
 * - `limit`: a shape needs more than the device offers
 * - `format`: a file or checkpoint is truncated, foreign or does not match the model
 */
export type ErrorKind = "shape" | "option" | "data" | "numeric" | "device" | "limit" | "format";

/** The one error type of the package: `where: what was expected, what came`, plus a remedy where there is one. */
export class RnnError extends Error {
  override readonly name = "RnnError";

  constructor(
    /** What went wrong, for programs. */
    readonly kind: ErrorKind,
    /** The class, function or argument that refused. */
    readonly where: string,
    problem: string,
    options?: { cause?: unknown },
  ) {
    super(`${where}: ${problem}`, options);
  }
}

/** Formats a value that came instead of the expected one, short enough for a message. */
export function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (Array.isArray(value)) return value.length > 12 ? `an array of ${value.length}` : `[${value.map(show).join(", ")}]`;
  if (typeof value === "function") return "a function";
  if (typeof value === "object" && value !== null) return `a ${value.constructor?.name ?? "object"}`;
  return String(value);
}

/**
 * Refuses option names that are not in `known`, naming the nearest known one.
 * @param needed whether there must be options at all
 * @throws RnnError `option`
 */
export function checkOptionNames(where: string, options: unknown, known: readonly string[], { needed = false } = {}): void {
  if (options === undefined && !needed) return;
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new RnnError("option", where, `options must be an object, got ${show(options)}`);
  }
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const near = known.find((k) => k.toLowerCase().startsWith(name.slice(0, 4).toLowerCase()));
    const hint = near ? `did you mean "${near}"?` : `known options are ${known.join(", ") || "none"}`;
    throw new RnnError("option", where, `unknown option "${name}"; ${hint}`);
  }
}

/** @throws RnnError `option` unless `value` is one of `allowed` */
export function checkChoice<T extends string>(where: string, name: string, value: unknown, allowed: readonly T[]): T {
  if (allowed.includes(value as T)) return value as T;
  throw new RnnError("option", where, `${name} must be ${allowed.map((a) => JSON.stringify(a)).join(" or ")}, got ${show(value)}`);
}

/** @throws RnnError `option` unless `value` is an integer with `least <= value <= most` */
export function checkInteger(where: string, name: string, value: unknown, least: number, most = Infinity): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= least && value <= most) return value;
  throw new RnnError("option", where, `${name} must be an integer of at least ${least}${most === Infinity ? "" : ` and at most ${most}`}, got ${show(value)}`);
}

/** @throws RnnError `option` unless `least <= value <= most` (or `least < value` if `open`) */
export function checkNumber(
  where: string,
  name: string,
  value: unknown,
  { least = -Infinity, most = Infinity, open = false }: { least?: number; most?: number; open?: boolean } = {},
): number {
  if (typeof value === "number" && Number.isFinite(value) && value <= most && (open ? value > least : value >= least)) return value;
  const low = least === -Infinity ? "" : ` ${open ? "above" : "of at least"} ${least}`;
  const high = most === Infinity ? "" : `${low ? " and" : ""} at most ${most}`;
  throw new RnnError("option", where, `${name} must be a finite number${low}${high}, got ${show(value)}`);
}

/** @throws RnnError `option` unless `value` is a function */
export function checkFunction(where: string, name: string, value: unknown): void {
  if (typeof value !== "function") throw new RnnError("option", where, `${name} must be a function, got ${show(value)}`);
}

/** @throws RnnError `option` unless `value` is true or false */
export function checkBoolean(where: string, name: string, value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw new RnnError("option", where, `${name} must be true or false, got ${show(value)}`);
}
