import { reading, RnnError, show } from "../errors.ts";

/** Whether these are bytes. The type name works for buffers from other windows too, unlike instanceof. */
export const areBytes = (file: unknown): file is ArrayBufferView | ArrayBufferLike =>
  ArrayBuffer.isView(file) || /^\[object (Shared)?ArrayBuffer\]$/.test(Object.prototype.toString.call(file));

/**
 * The bytes of a file that somebody hands over, not copied.
 * @param remedy ends the message about what is no file
 * @throws RnnError `format` if it is none, or detached
 */
export function bytesOf(file: unknown, where = "safetensors", remedy = ""): Uint8Array {
  return reading("format", where, "the file", () => {
    if (!areBytes(file)) throw new RnnError("format", where, `the file must be a Uint8Array or ArrayBuffer, got ${show(file)}${remedy}`);
    return ArrayBuffer.isView(file) ? new Uint8Array(file.buffer, file.byteOffset, file.byteLength) : new Uint8Array(file);
  });
}

/** A copy of the bytes as they are at this moment. @throws RnnError as `bytesOf` */
export const takeBytes = (file: unknown, where?: string, remedy?: string): Uint8Array => bytesOf(file, where, remedy).slice();
