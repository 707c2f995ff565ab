/** Reads a file as text, or says in words why it is none. */
import { RnnError } from "webgpu-rnn";

/** Bytes of the largest accepted file; more than anyone trains on here. */
export const mostBytes = 100e6;

/** The longest name that is shown or stored. */
const longestName = 80;

/** A file's name, short enough to be shown. */
export function shortName(name: string): string {
  const characters = Array.from(name.replace(/\p{C}/gu, ""));
  return characters.length <= longestName ? characters.join("") || "a file" : `${characters.slice(0, longestName - 1).join("")}…`;
}

/** Characters as a model counts them: Unicode code points. */
export function countCharacters(text: string): number {
  let count = text.length;
  for (let i = 1; i < text.length; i++) {
    const isPair = (text.charCodeAt(i) & 0xfc00) === 0xdc00 && (text.charCodeAt(i - 1) & 0xfc00) === 0xd800;
    if (isPair) count--;
  }
  return count;
}

/** @throws RnnError `data`, naming the file, if it is empty, too large, unreadable or no text */
export async function readTextFile(file: File): Promise<string> {
  const name = shortName(file.name);
  if (file.size > mostBytes)
    throw new RnnError(
      "data",
      name,
      `has ${Math.round(file.size / 1e6).toLocaleString("en")} MB; a text may have up to ${mostBytes / 1e6} MB`,
    );
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(await file.arrayBuffer());
  } catch (cause) {
    throw new RnnError("data", name, "cannot be read; it may be a folder, or have changed since it was chosen", { cause });
  }
  return decodeText(bytes, name);
}

/**
 * The text of these bytes: UTF-8, UTF-16, or else the old encoding of Western files. Line ends become \n.
 * @throws RnnError `data` if they are none or no text
 */
export function decodeText(bytes: Uint8Array, name: string): string {
  if (bytes.length === 0) throw new RnnError("data", name, "is empty");
  const text = decoded(bytes);
  if (text === undefined)
    throw new RnnError(
      "data",
      name,
      "is a binary file (an image, a document, an archive …), not text; choose a .txt file, or paste the text",
    );
  if (text.trim() === "") throw new RnnError("data", name, "has nothing but blanks");
  return text.replace(/\r\n?/g, "\n");
}

function decoded(bytes: Uint8Array): string | undefined {
  const [first, second] = bytes;
  if (first === 0xff && second === 0xfe) return plain(attempt(bytes, "utf-16le"));
  if (first === 0xfe && second === 0xff) return plain(attempt(bytes, "utf-16be"));
  if (!bytes.includes(0)) return plain(attempt(bytes, "utf-8") ?? attempt(bytes, "windows-1252"));
  // No text contains zero bytes, except UTF-16: there the second byte of a Latin letter is zero.
  const zeros = [0, 0];
  bytes.forEach((byte, i) => byte === 0 && zeros[i & 1]++);
  if (zeros[0] + zeros[1] < bytes.length / 8 || Math.min(...zeros) > 0) return undefined;
  return plain(attempt(bytes, zeros[0] === 0 ? "utf-16le" : "utf-16be"));
}

function attempt(bytes: Uint8Array, encoding: string): string | undefined {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/**
 * Returns the text if it looks like text: hardly any control characters, mostly letters of a few alphabets, nothing
 * unassigned.
 */
function plain(text: string | undefined): string | undefined {
  if (text === undefined || text.includes("\0")) return undefined;
  const start = text.slice(0, 100_000);
  const odd = start.match(/[\u0001-\u0008\u000e-\u001f\u007f-\u0084\u0086-\u009f\p{Cn}\p{Co}]/gu)?.length ?? 0;
  return odd * 100 > start.length ? undefined : text;
}
