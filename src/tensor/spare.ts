/**
 * Arrays for copies of callers' numbers, used again from call to call: the system gives fresh memory page by page, which
 * takes longer than to copy into it. They are held weakly, so that no memory is kept from others.
 */
import type { NumericArray } from "./tensor.ts";

/** Bytes from which on an array is worth keeping. */
const large = 2 ** 12;
/** Most arrays that wait to be used again. */
const most = 8;
let waiting: WeakRef<NumericArray>[] = [];

/** A copy of `source`. Without `giveBack` it is an array as any other. */
export function copyInto(Type: new (from: ArrayLike<number>) => NumericArray, source: ArrayLike<number>): NumericArray {
  for (const one of waiting) {
    const array = one.deref();
    if (array?.constructor !== Type || array.length !== source.length) continue;
    waiting = waiting.filter((other) => other !== one);
    array.set(source);
    return array;
  }
  return new Type(source);
}

/** Must be called with arrays of `copyInto` only, and when nobody will read them any more. */
export function giveBack(arrays: Readonly<Record<string, NumericArray>>): void {
  for (const array of Object.values(arrays)) if (array.byteLength >= large) waiting.push(new WeakRef(array));
  waiting = waiting.slice(-most);
}
