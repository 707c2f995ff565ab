import { reading, RnnError, show } from "../errors.ts";

/** The bytes of a file that somebody hands over, not copied. @throws RnnError `format` if it is none, or detached */
export function bytesOf(file: unknown, where = "safetensors"): Uint8Array {
  // The type name works for buffers from other windows too, unlike instanceof.
  return reading("format", where, "the file", () => {
    if (ArrayBuffer.isView(file)) return new Uint8Array(file.buffer, file.byteOffset, file.byteLength);
    if (/^\[object (Shared)?ArrayBuffer\]$/.test(Object.prototype.toString.call(file))) return new Uint8Array(file as ArrayBuffer);
    throw new RnnError("format", where, `the file must be a Uint8Array or ArrayBuffer, got ${show(file)}`);
  });
}

/** A copy of the bytes as they are at this moment. @throws RnnError as `bytesOf` */
export const takeBytes = (file: unknown, where?: string): Uint8Array => bytesOf(file, where).slice();
