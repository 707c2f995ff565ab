/**
 * Encodes and decodes UTF-8. Worklets have neither TextEncoder nor TextDecoder, but encodeURIComponent is part of the
 * language.
 */

/** `text` has no half of a surrogate pair. */
export function encodeUtf8(text: string): Uint8Array {
  if (typeof TextEncoder !== "undefined") return new TextEncoder().encode(text);
  const escaped = encodeURIComponent(text);
  const bytes = new Uint8Array(escaped.length);
  let length = 0;
  for (let at = 0; at < escaped.length; at++) {
    if (escaped[at] === "%") bytes[length++] = parseInt(escaped.slice(at + 1, (at += 2) + 1), 16);
    else bytes[length++] = escaped.charCodeAt(at);
  }
  return bytes.slice(0, length);
}

/** @throws TypeError or URIError if `bytes` are not UTF-8 */
export function decodeUtf8(bytes: Uint8Array): string {
  if (typeof TextDecoder !== "undefined") return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  let text = "";
  // As many at once as arguments fit on every engine's stack.
  for (let at = 0; at < bytes.length; at += 4096) text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  return decodeURIComponent(text.replace(/[%\x80-\xff]/g, (byte) => `%${byte.charCodeAt(0).toString(16).padStart(2, "0")}`));
}
