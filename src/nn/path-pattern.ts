/** Patterns that name parameters by their paths. */
import { reading, RnnError, show } from "../errors.ts";
import { isA } from "../options.ts";

/** Returns a test for the paths that a pattern names. @throws RnnError `option` unless it is a pattern */
export function matcherOf(where: string, pattern: unknown): (path: string) => boolean {
  if (pattern === undefined) return () => true;
  // A RegExp with the flags g or y remembers its position and would find only every other path.
  if (isA(pattern, RegExp)) {
    const own = reading("option", where, "pattern", () => new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, "")));
    return (path) => own.test(path);
  }
  if (typeof pattern !== "string" || pattern === "")
    throw new RnnError("option", where, `pattern must be a path, the start of one, or a RegExp, got ${show(pattern)}`);
  const parts = pattern.split("*");
  return (path) => {
    const words = path.split(".");
    return words.some((_, i) => consistsOf(words.slice(0, i + 1).join("."), parts));
  };
}

/**
 * True if the text consists of these parts in order, with anything between them. A RegExp with many * could take for
 * ever.
 */
function consistsOf(text: string, parts: readonly string[]): boolean {
  const [first, last] = [parts[0], parts[parts.length - 1]];
  if (parts.length === 1) return text === first;
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}
