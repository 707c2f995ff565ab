/**
 * The safetensors format: eight bytes of header length (little-endian), a JSON header with dtype, shape and byte
 * range per tensor and text in `__metadata__`, then the data.
 */
import { checkChoice, clip, RnnError, show } from "../errors.ts";
import { takeEntries, takeOptions } from "../options.ts";
import { sizeOf } from "../tensor/shape.ts";
import { halfToNumber, numberToHalf } from "../tensor/half.ts";
import { takeForFile } from "../tensor/any-numbers.ts";
import type { TensorLike } from "../tensor/take.ts";
import type { NumericArray, Tensor } from "../tensor/tensor.ts";
import { bytesOf } from "./bytes.ts";
import { decodeUtf8, encodeUtf8 } from "./utf8.ts";

/** The contents of a safetensors file: tensors by name, and text by name. */
export interface TensorFile {
  readonly tensors: Record<string, Tensor>;
  readonly metadata: Record<string, string>;
}

/** A tensor in the header, checked. */
interface Entry {
  readonly shape: readonly number[];
  readonly reader: Reader;
  /** Bytes [first, last) of the data. */
  readonly first: number;
  readonly last: number;
}

const dtypes: Readonly<Record<string, string>> = { Float32Array: "F32", Float64Array: "F64", Int32Array: "I32", Uint32Array: "U32" };

/** The longest accepted header; a longer one is no safetensors file. */
const mostHeader = 100_000_000;

/**
 * Writes tensors and text metadata. Tensors are float32, float64, int32 or uint32.
 * @param given.dtype "F16" or "BF16" rounds float32 and float64 to two bytes (to the nearest, ties to even)
 * @throws RnnError `shape` if a tensor's data does not fill its shape, `option` for metadata that is not text, `data` for
 * a finite number that would become infinite
 */
export function encodeSafetensors(
  tensors: Readonly<Record<string, TensorLike>>,
  metadata: Readonly<Record<string, string>> = {},
  given: { dtype?: "F16" | "BF16" } = {},
): Uint8Array<ArrayBuffer> {
  const { dtype } = takeOptions("encodeSafetensors", given, ["dtype"]);
  if (dtype !== undefined) checkChoice("encodeSafetensors", "dtype", dtype, ["F16", "BF16"]);
  const header = new Map<string, unknown>([[metadataName, checkMetadata(metadata)]]);
  const arrays: (NumericArray | Uint16Array)[] = [];
  let offset = 0;
  for (const [name, value] of takeEntries("encodeSafetensors", "tensors", "tensors", tensors)) {
    if (name === metadataName)
      throw new RnnError("option", "encodeSafetensors", `no tensor can be named "${metadataName}", where the format keeps its texts`);
    const { shape, data } = takeForFile("encodeSafetensors", `"${clip(name)}"`, value);
    const halves = dtype !== undefined && (data instanceof Float32Array || data instanceof Float64Array);
    const array = halves ? halvesOf(name, data, dtype) : data;
    const type = halves ? dtype : dtypes[data[Symbol.toStringTag]];
    header.set(name, { dtype: type, shape, data_offsets: [offset, (offset += array.byteLength)] });
    arrays.push(array);
  }
  const json = encodeUtf8(`{${[...header].map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join()}}`);
  // Spaces at the end of the header align the data to 8 bytes.
  const headerLength = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(8 + headerLength + offset);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerLength), true);
  bytes.fill(0x20, 8, 8 + headerLength);
  bytes.set(json, 8);
  let at = 8 + headerLength;
  for (const { buffer, byteOffset, byteLength } of arrays) {
    bytes.set(new Uint8Array(buffer, byteOffset, byteLength), at);
    at += byteLength;
  }
  return bytes;
}

const words = new Uint32Array(1);
const float = new Float32Array(words.buffer);

/** The upper half of a float32, rounded to the nearest, ties to even. */
function numberToBfloat(value: number): number {
  float[0] = value;
  if (Number.isNaN(value)) return 0x7fc0;
  return (words[0] + 0x7fff + ((words[0] >>> 16) & 1)) >>> 16;
}

function halvesOf(name: string, data: Float32Array | Float64Array, dtype: "F16" | "BF16"): Uint16Array {
  const [convert, infinity] = dtype === "F16" ? [numberToHalf, 0x7c00] : [numberToBfloat, 0x7f80];
  const result = Uint16Array.from(data, convert);
  const at = data.findIndex((value, i) => Number.isFinite(value) && (result[i] & 0x7fff) === infinity);
  if (at >= 0)
    throw new RnnError("data", "encodeSafetensors", `"${clip(name)}" has ${data[at]} at index ${at}, which is infinite in ${dtype}`);
  return result;
}

const metadataName = "__metadata__";

function checkMetadata(metadata: unknown): Readonly<Record<string, string>> {
  const entries = takeEntries("encodeSafetensors", "metadata", "texts", metadata);
  for (const [key, value] of entries) {
    if (typeof value !== "string")
      throw new RnnError("option", "encodeSafetensors", `metadata "${clip(key)}" must be a text, got ${show(value)}`);
  }
  return Object.fromEntries(entries) as Record<string, string>;
}

/** Bytes per element, and a function that makes an array of them. */
interface Reader {
  readonly size: number;
  read(view: DataView, count: number): NumericArray;
}

/**
 * The bytes of a view, copied to a new buffer. Like the format, every system that browsers and Node run on is
 * little-endian.
 */
const copied = ({ buffer, byteOffset, byteLength }: DataView): ArrayBuffer =>
  buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;

/** Eight bits: a sign, four of exponent, three of mantissa, no infinities (Micikevicius et al. 2022). */
function e4m3ToNumber(bits: number): number {
  const [exponent, mantissa] = [(bits >> 3) & 15, bits & 7];
  if (exponent === 15 && mantissa === 7) return NaN;
  const magnitude = exponent ? (1 + mantissa / 8) * 2 ** (exponent - 7) : mantissa * 2 ** -9;
  return bits & 0x80 ? -magnitude : magnitude;
}

/** How to read each dtype. */
const readers: Readonly<Record<string, Reader>> = {
  F64: { size: 8, read: (v) => new Float64Array(copied(v)) },
  F32: { size: 4, read: (v) => new Float32Array(copied(v)) },
  F16: { size: 2, read: (v, n) => Float32Array.from({ length: n }, (_, i) => halfToNumber(v.getUint16(i * 2, true))) },
  BF16: { size: 2, read: (v, n) => new Float32Array(Uint32Array.from({ length: n }, (_, i) => v.getUint16(i * 2, true) << 16).buffer) },
  I64: { size: 8, read: (v, n) => Float64Array.from({ length: n }, (_, i) => Number(v.getBigInt64(i * 8, true))) },
  I32: { size: 4, read: (v) => new Int32Array(copied(v)) },
  U32: { size: 4, read: (v) => new Uint32Array(copied(v)) },
  I16: { size: 2, read: (v, n) => Int32Array.from({ length: n }, (_, i) => v.getInt16(i * 2, true)) },
  I8: { size: 1, read: (v, n) => Int32Array.from({ length: n }, (_, i) => v.getInt8(i)) },
  U16: { size: 2, read: (v, n) => Uint32Array.from({ length: n }, (_, i) => v.getUint16(i * 2, true)) },
  U8: { size: 1, read: (v, n) => Uint32Array.from({ length: n }, (_, i) => v.getUint8(i)) },
  F8_E5M2: { size: 1, read: (v, n) => Float32Array.from({ length: n }, (_, i) => halfToNumber(v.getUint8(i) << 8)) },
  F8_E4M3: { size: 1, read: (v, n) => Float32Array.from({ length: n }, (_, i) => e4m3ToNumber(v.getUint8(i))) },
  BOOL: { size: 1, read: (v, n) => Uint32Array.from({ length: n }, (_, i) => v.getUint8(i)) },
};

function fail(problem: string): never {
  throw new RnnError("format", "safetensors", problem);
}

/**
 * Reads a file. F16, BF16 and F8 become float32, I64 float64, I16 and I8 int32, U16, U8 and BOOL uint32.
 * @throws RnnError `format` if the file is truncated or is no safetensors file, naming the tensor where there is one
 */
export const decodeSafetensors = (file: Uint8Array | ArrayBuffer): TensorFile => tensorsIn(file, true);

/** The same, where float32 may lie in the file itself: for a caller who reads the values once and soon. @param copies true if it may not */
export function tensorsIn(file: Uint8Array | ArrayBuffer, copies = false): TensorFile {
  const bytes = bytesOf(file);
  if (bytes.length < 8) fail(`the file must have at least 8 bytes, got ${bytes.length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerLength = Number(view.getBigUint64(0, true));
  if (headerLength > mostHeader) fail("this is no safetensors file: its first eight bytes are not the length of a header");
  const start = 8 + headerLength;
  if (start > bytes.length)
    fail(`the file is truncated or no safetensors file: its header of ${headerLength} bytes ends after the file's ${bytes.length}`);
  const header = parseHeader(bytes.subarray(8, start));
  const metadata = readMetadata(header.get(metadataName));
  header.delete(metadataName);
  const entries = [...header].map(([name, value]) => [name, readEntry(name, value)] as const);
  checkRanges(entries, bytes.length - start);
  // Unlike assignment, this makes even "__proto__" a plain name.
  const tensors = Object.fromEntries(
    entries.map(([name, { shape, reader, first, last }]) => {
      const at = bytes.byteOffset + start + first;
      const count = sizeOf(shape);
      const inPlace = !copies && reader === readers.F32 && at % 4 === 0;
      const data = inPlace ? new Float32Array(bytes.buffer, at, count) : reader.read(new DataView(bytes.buffer, at, last - first), count);
      return [name, { shape, data }];
    }),
  );
  return { tensors, metadata };
}

/** A header contains tensors, and these contain sizes: three levels. */
const mostDepth = 3;

/** Counts the names in a JSON text: colons outside of strings. Refuses deep nesting before the text is parsed. */
function namesIn(text: string): number {
  let [names, depth] = [0, 0];
  for (const [token] of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[:[\]{}]/gs)) {
    if (token === ":") names++;
    else if (token === "[" || token === "{") {
      if (++depth > mostDepth) fail(`its header is nested more than ${mostDepth} deep`);
    } else if (token === "]" || token === "}") depth--;
  }
  return names;
}

/** Counts the names after parsing, which keeps only the last of equal names. */
function countNames(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  return (
    (Array.isArray(value) ? 0 : Object.keys(value).length) + Object.values(value).reduce((sum: number, inner) => sum + countNames(inner), 0)
  );
}

function parseHeader(json: Uint8Array): Map<string, unknown> {
  try {
    const text = decodeUtf8(json);
    const names = namesIn(text);
    const header: unknown = JSON.parse(text);
    if (countNames(header) !== names) fail("its header has a name twice");
    if (typeof header === "object" && header !== null && !Array.isArray(header)) return new Map(Object.entries(header));
  } catch (error) {
    if (error instanceof RnnError) throw error;
    // The check below reports other faults.
  }
  return fail("this is no safetensors file: its header is not a JSON object");
}

function readMetadata(value: unknown): Record<string, string> {
  if (value === undefined || value === null) return {};
  if (typeof value !== "object" || Array.isArray(value) || !Object.values(value).every((v) => typeof v === "string"))
    fail(`${metadataName} must be an object of texts`);
  return Object.fromEntries(Object.entries(value as Record<string, string>));
}

const isCount = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) >= 0;

function readEntry(name: string, value: unknown): Entry {
  const { dtype, shape, data_offsets: offsets } = (value ?? {}) as { dtype?: unknown; shape?: unknown; data_offsets?: unknown };
  if (!Array.isArray(shape) || !shape.every(isCount) || !Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    return fail(`"${clip(name)}" has no valid shape and data_offsets`);
  }
  if (typeof dtype !== "string" || !Object.hasOwn(readers, dtype))
    return fail(`"${clip(name)}" must have one of the types ${Object.keys(readers).join(", ")}, got ${show(dtype)}`);
  const reader = readers[dtype];
  const [first, last] = offsets as [number, number];
  const size = sizeOf(shape) * reader.size;
  if (last - first !== size) fail(`"${clip(name)}" of shape ${show(shape)} needs ${size} bytes, its data_offsets give ${last - first}`);
  return { shape, reader, first, last };
}

/** Every byte of the data belongs to one tensor: no overlap, no gap, nothing missing or left over. */
function checkRanges(entries: readonly (readonly [string, Entry])[], length: number): void {
  let end = 0;
  let before = "the header";
  for (const [name, { first, last }] of [...entries].sort(([, a], [, b]) => a.first - b.first || a.last - b.last)) {
    if (last > length) fail(`the file is truncated: "${clip(name)}" ends at byte ${last} of the data, which has ${length}`);
    if (first !== end) fail(`"${clip(name)}" must start at byte ${end} of the data, where ${before} ends, but starts at ${first}`);
    end = last;
    before = `"${clip(name)}"`;
  }
  if (end !== length) fail(`the data must end where ${before} does, at byte ${end}, but has ${length} bytes`);
}
