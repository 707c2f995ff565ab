/**
 * The safetensors format: eight bytes of header length (little-endian), a JSON header with dtype, shape and byte
 * range per tensor and text in `__metadata__`, then the data.
 */
import { RnnError, show } from "../errors.ts";
import { sizeOf } from "../tensor/shape.ts";
import type { NumericArray, Tensor } from "../tensor/tensor.ts";

/** What a safetensors file holds: tensors by name, and text by name. */
export interface TensorFile {
  readonly tensors: Record<string, Tensor>;
  readonly metadata: Record<string, string>;
}

interface Entry {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

const dtypeOf = (data: NumericArray): string => (data instanceof Float32Array ? "F32" : data instanceof Float64Array ? "F64" : data instanceof Int32Array ? "I32" : "U32");

/** Longest header that is read; more is no safetensors file. */
const mostHeader = 100_000_000;

/** Writes tensors and text metadata. Tensors are float32, float64, int32 or uint32. */
export function encodeSafetensors(tensors: Readonly<Record<string, Tensor>>, metadata: Readonly<Record<string, string>> = {}): Uint8Array<ArrayBuffer> {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let offset = 0;
  for (const [name, { shape, data }] of Object.entries(tensors)) {
    header[name] = { dtype: dtypeOf(data), shape, data_offsets: [offset, (offset += data.byteLength)] };
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  // Spaces at the end of the header align the data to 8 bytes.
  const headerLength = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(8 + headerLength + offset);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerLength), true);
  bytes.fill(0x20, 8, 8 + headerLength);
  bytes.set(json, 8);
  let at = 8 + headerLength;
  for (const { data } of Object.values(tensors)) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return bytes;
}

/** Half-precision bits as a number: 1 sign, 5 exponent and 10 mantissa bits. */
function halfToNumber(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 1023;
  const magnitude = exponent === 31 ? (mantissa ? NaN : Infinity) : exponent ? (1 + mantissa / 1024) * 2 ** (exponent - 15) : mantissa * 2 ** -24;
  return bits & 0x8000 ? -magnitude : magnitude;
}

/** How each dtype is read: bytes per element, and the array it becomes. */
const readers: Record<string, { size: number; read: (view: DataView, count: number) => NumericArray }> = {
  F64: { size: 8, read: (v, n) => Float64Array.from({ length: n }, (_, i) => v.getFloat64(i * 8, true)) },
  F32: { size: 4, read: (v, n) => Float32Array.from({ length: n }, (_, i) => v.getFloat32(i * 4, true)) },
  F16: { size: 2, read: (v, n) => Float32Array.from({ length: n }, (_, i) => halfToNumber(v.getUint16(i * 2, true))) },
  BF16: { size: 2, read: (v, n) => new Float32Array(Uint32Array.from({ length: n }, (_, i) => v.getUint16(i * 2, true) << 16).buffer) },
  I64: { size: 8, read: (v, n) => Float64Array.from({ length: n }, (_, i) => Number(v.getBigInt64(i * 8, true))) },
  I32: { size: 4, read: (v, n) => Int32Array.from({ length: n }, (_, i) => v.getInt32(i * 4, true)) },
  U32: { size: 4, read: (v, n) => Uint32Array.from({ length: n }, (_, i) => v.getUint32(i * 4, true)) },
  U8: { size: 1, read: (v, n) => Uint32Array.from({ length: n }, (_, i) => v.getUint8(i)) },
  BOOL: { size: 1, read: (v, n) => Uint32Array.from({ length: n }, (_, i) => v.getUint8(i)) },
};

function fail(problem: string): never {
  throw new RnnError("format", "safetensors", problem);
}

/**
 * Reads a file. F16 and BF16 become float32, I64 float64.
 * @throws RnnError `format` if the file is truncated or is no safetensors file, naming the tensor where there is one
 */
export function decodeSafetensors(file: Uint8Array | ArrayBuffer): TensorFile {
  const bytes = file instanceof Uint8Array ? file : new Uint8Array(file);
  if (bytes.length < 8) fail(`the file must have at least 8 bytes, got ${bytes.length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerLength = Number(view.getBigUint64(0, true));
  if (headerLength > mostHeader) fail("this is no safetensors file: its first eight bytes are not the length of a header");
  if (8 + headerLength > bytes.length) fail(`the file is truncated or no safetensors file: its header of ${headerLength} bytes ends after the file's ${bytes.length}`);
  const header = parseHeader(bytes.subarray(8, 8 + headerLength));
  const start = 8 + headerLength;
  const tensors: Record<string, Tensor> = {};
  const metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(header)) {
    if (name === "__metadata__") Object.assign(metadata, value);
    else tensors[name] = readTensor(name, value as Entry, view, start);
  }
  return { tensors, metadata };
}

function parseHeader(json: Uint8Array): Record<string, unknown> {
  try {
    const header: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(json));
    if (typeof header === "object" && header !== null && !Array.isArray(header)) return header as Record<string, unknown>;
  } catch {
    // Said below.
  }
  return fail("this is no safetensors file: its header is not a JSON object");
}

function readTensor(name: string, entry: Partial<Entry> | null, view: DataView, start: number): Tensor {
  const { dtype, shape, data_offsets: offsets } = entry ?? {};
  if (!Array.isArray(shape) || !shape.every((n) => Number.isSafeInteger(n) && n >= 0) || !Array.isArray(offsets) || offsets.length !== 2) {
    return fail(`"${name}" has no valid shape and data_offsets`);
  }
  const reader = readers[String(dtype)] as (typeof readers)[string] | undefined;
  if (!reader) return fail(`"${name}" must have one of the types ${Object.keys(readers).join(", ")}, got ${show(dtype)}`);
  const count = sizeOf(shape);
  const [first, last] = offsets;
  if (!Number.isSafeInteger(first) || first < 0 || last - first !== count * reader.size) {
    return fail(`"${name}" of shape [${shape.join(", ")}] needs ${count * reader.size} bytes, its data_offsets give ${last - first}`);
  }
  if (start + last > view.byteLength) return fail(`the file is truncated: "${name}" ends at byte ${start + last}, the file at ${view.byteLength}`);
  return { shape, data: reader.read(new DataView(view.buffer, view.byteOffset + start + first, last - first), count) };
}
