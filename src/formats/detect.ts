/** Finds the format of a file by its content. */
import { clip, listed, RnnError, show } from "../errors.ts";
import { decodeUtf8 } from "../io/utf8.ts";
import { formatError, get, isObject, parseJson, type FormatName, type Json, type JsonObject } from "./imported.ts";

const where = "importModel";

const beginsWith = (bytes: Uint8Array, text: string, at = 0): boolean =>
  bytes.length >= at + text.length && Array.from(text).every((letter, i) => bytes[at + i] === letter.charCodeAt(0));

/** The first byte of a JSON text that is no space, and where it is. */
function firstOfText(bytes: Uint8Array): number {
  let at = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  while (at < bytes.length && [0x20, 0x09, 0x0a, 0x0d].includes(bytes[at])) at++;
  return bytes[at];
}

/** Whether it is a JSON object or list. */
export const looksLikeJson = (bytes: Uint8Array): boolean => [0x7b, 0x5b].includes(firstOfText(bytes));

/** The JSON of a file, whose numbers may be written as Python does, which JSON does not know. */
export function jsonOf(name: string, bytes: Uint8Array): Json {
  let text: string;
  try {
    text = decodeUtf8(bytes).replace(/^\uFEFF/, "");
  } catch (cause) {
    throw new RnnError("format", name, "it is no text in UTF-8", { cause });
  }
  return parseJson(name, text);
}

/** Whether every value of an object is numbers in lists, as in a state dictionary written as JSON. */
const holdsNumbers = (value: Json | undefined): boolean => {
  for (let inner = value, depth = 0; depth < 16; depth++) {
    if (typeof inner === "number") return depth > 0;
    if (!Array.isArray(inner) || inner.length === 0) return false;
    inner = (inner as readonly Json[])[0];
  }
  return false;
};

/** Whether it says where TensorFlow 1's variables are: a file and a shape by name. */
const isManifest = (json: JsonObject): boolean =>
  Object.keys(json).length > 0 &&
  Object.values(json).every((entry) => isObject(entry) && get(entry, "filename") !== undefined && get(entry, "shape") !== undefined);

export const isStateDict = (json: Json | undefined): boolean =>
  isObject(json) && Object.keys(json).length > 0 && Object.values(json).every(holdsNumbers);

/** Formats whose files are JSON, by what their objects have. */
export function formatOfJson(json: Json): FormatName {
  if (isObject(json)) {
    const has = (...names: string[]): boolean => names.every((name) => get(json, name) !== undefined);
    if (has("architecture", "config", "weights")) return "nam";
    if (has("modelTopology") || has("weightsManifest")) return "tfjs";
    if (has("layers", "in_shape") || has("state_dict") || isStateDict(json)) return "rtneural";
    if (has("class_name", "config")) return "keras";
    if (isManifest(json)) return "tf1";
  }
  const keys = isObject(json) ? `an object with ${listed(Object.keys(json)) || "no names"}` : "a list";
  throw formatError(
    where,
    `this JSON is ${keys}, which is none of the known formats: tfjs (modelTopology), Keras (class_name, config), RTNeural (in_shape, layers) or NAM (architecture, config, weights)`,
  );
}

/** Files that people try, and what helps. */
const others: readonly (readonly [test: (bytes: Uint8Array) => boolean, problem: string])[] = [
  [(b) => beginsWith(b, "TFL3", 4), "this is a TensorFlow Lite file, which is not read; give the Keras file that it was converted from"],
  [(b) => beginsWith(b, "GGUF"), "this is a GGUF file, which is not read; give the checkpoint that it was converted from"],
  [
    (b) => beginsWith(b, "ustar", 257),
    "this is a tar archive (PyTorch before 0.1.10, or a packed folder), which is not read; unpack it, or save the model again",
  ],
  [(b) => b[0] === 0x1f && b[1] === 0x8b, "this file is packed with gzip; unpack it first"],
  [(b) => beginsWith(b, "\x93NUMPY"), "this is a NumPy array, which is no model"],
  [(b) => beginsWith(b, "<"), "this is a page of HTML or XML, as servers send it where a file is missing; check the address"],
  [(b) => beginsWith(b, "version https://git-lfs"), "this is a pointer to a file in Git LFS; download the file itself"],
];

/** @param namesOf the names in a zip archive */
export async function formatOf(bytes: Uint8Array, namesOf: () => Promise<readonly string[]>): Promise<FormatName> {
  if (bytes.length < 8) throw formatError(where, `the file must hold a model, got ${bytes.length} bytes`);
  // It begins with the length of its header, whose first bytes may be those of any other format.
  const header = Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true));
  if (header <= bytes.length - 8 && bytes[8] === 0x7b) return "safetensors";
  if (beginsWith(bytes, "PK\x03\x04")) return formatOfZip(await namesOf());
  if (beginsWith(bytes, "\x89HDF\r\n\x1a\n")) return "keras";
  if (bytes[0] === 0x80 && bytes[1] >= 2 && bytes[1] <= 5) return "pytorch";
  for (const [test, problem] of others) if (test(bytes)) throw formatError(where, problem);
  if (looksLikeJson(bytes)) return formatOfJson(jsonOf(where, bytes));
  // Of an ONNX file, the first field is the version of its format, a small number.
  if (bytes[0] === 0x08 && bytes[1] < 0x80) return "onnx";
  const first = [...bytes.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  throw formatError(
    where,
    `the file begins with ${first}, as none of the known formats does: ONNX, Keras (.keras, .h5), tfjs, PyTorch (.pt), safetensors, RTNeural, NAM`,
  );
}

function formatOfZip(names: readonly string[]): FormatName {
  if (names.some((name) => name === "data.pkl" || name.endsWith("/data.pkl"))) {
    const constants = names.find((name) => name.endsWith("/constants.pkl") || /\/code\/.*\.py$/.test(name));
    if (constants !== undefined)
      throw formatError(
        where,
        `this is a TorchScript archive (it has ${show(clip(constants, 80))}), whose code is not read; save model.state_dict(), or export it to ONNX`,
      );
    return "pytorch";
  }
  if (names.some((name) => /(^|\/)config\.json$/.test(name))) return "keras";
  throw formatError(where, `this zip archive has ${listed(names)}; a .keras file has config.json, a PyTorch file has data.pkl`);
}
