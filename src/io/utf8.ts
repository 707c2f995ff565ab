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
  let escaped = "";
  for (const byte of bytes) escaped += byte < 0x80 && byte !== 0x25 ? String.fromCharCode(byte) : `%${byte.toString(16).padStart(2, "0")}`;
  return decodeURIComponent(escaped);
}
