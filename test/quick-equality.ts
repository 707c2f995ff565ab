/**
 * Vitest's `toEqual` looks at an array key by key, which takes seconds for a million numbers. Two lists of the same numbers
 * are recognized at once here; all others are left to it, with its message.
 */
import { expect } from "vitest";

type List = { readonly length: number; readonly constructor: unknown; readonly [i: number]: unknown };
const isList = (value: unknown): value is List => Array.isArray(value) || (ArrayBuffer.isView(value) && "length" in value);

function sameNumbers(a: unknown, b: unknown): true | undefined {
  if (!isList(a) || !isList(b) || a.constructor !== b.constructor || a.length !== b.length) return undefined;
  for (let i = 0; i < a.length; i++) if (typeof a[i] !== "number" || !Object.is(a[i], b[i])) return undefined;
  return true;
}

// Vitest runs this before each file, and files may share a process.
const shared = globalThis as typeof globalThis & { equalityIsQuick?: true };
if (!shared.equalityIsQuick) expect.addEqualityTesters([sameNumbers]);
shared.equalityIsQuick = true;
