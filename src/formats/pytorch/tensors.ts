/** What `torch.save` writes: a pickle whose tensors are views of storages, which lie beside it. */
import { show } from "../../errors.ts";
import { decodeUtf8 } from "../../io/utf8.ts";
import { halfToNumber } from "../../tensor/half.ts";
import { sizeOf } from "../../tensor/shape.ts";
import type { NumericArray, Tensor } from "../../tensor/tensor.ts";
import { formatError } from "../imported.ts";
import { namesInZip, unzip } from "../parsers/zip.ts";
import { Global, readPickle, refuseGlobal, type PickleHost, type Value } from "./pickle.ts";

const where = "PyTorch file";

/** How to read one number of a storage. */
interface Element {
  readonly size: number;
  readonly array: new (length: number) => NumericArray;
  read(view: DataView, at: number): number;
}

const float: Element = { size: 4, array: Float32Array, read: (v, at) => v.getFloat32(at, true) };
const elements: Readonly<Record<string, Element>> = {
  Float: float,
  Double: { size: 8, array: Float64Array, read: (v, at) => v.getFloat64(at, true) },
  Half: { size: 2, array: Float32Array, read: (v, at) => halfToNumber(v.getUint16(at, true)) },
  BFloat16: { size: 2, array: Float32Array, read: (v, at) => bfloat(v.getUint16(at, true)) },
  Long: { size: 8, array: Float64Array, read: (v, at) => Number(v.getBigInt64(at, true)) },
  Int: { size: 4, array: Int32Array, read: (v, at) => v.getInt32(at, true) },
  Short: { size: 2, array: Int32Array, read: (v, at) => v.getInt16(at, true) },
  Char: { size: 1, array: Int32Array, read: (v, at) => v.getInt8(at) },
  Byte: { size: 1, array: Uint32Array, read: (v, at) => v.getUint8(at) },
  Bool: { size: 1, array: Uint32Array, read: (v, at) => v.getUint8(at) },
};

const word = new DataView(new ArrayBuffer(4));
function bfloat(bits: number): number {
  word.setUint32(0, bits << 16);
  return word.getFloat32(0);
}

/** Numbers that tensors share, read when one of them is wanted. */
class Storage {
  constructor(
    readonly key: string,
    readonly element: Element,
    readonly count: number,
  ) {}
}

/** A view of a storage. */
export class TorchTensor {
  constructor(
    readonly storage: Storage,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {}
}

type Torch = Value<Storage | TorchTensor>;

const isCount = (value: unknown): value is number => typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
const areCounts = (value: unknown): value is number[] => Array.isArray(value) && value.length <= 16 && value.every(isCount);

/** Types of numbers are named, not called. */
const isDtype = (name: string): boolean => /^torch\.(float\d+|double|half|bfloat16|u?int\d+|long|short|bool)$/.test(name);
const storageType = (name: string): Element | undefined => {
  const found = /^torch\.(?:cuda\.)?(\w+)Storage$/.exec(name)?.[1];
  return found !== undefined && Object.hasOwn(elements, found) ? elements[found] : undefined;
};

/** The functions that tensors are made by. */
const functions: Readonly<Record<string, (args: readonly Torch[]) => Torch>> = {
  "collections.OrderedDict": (args) => {
    if (args.length > 0) throw formatError(where, "its pickle makes an OrderedDict of a list, which torch.save does not write");
    return new Map();
  },
  "torch._utils._rebuild_tensor_v2": (args) => rebuilt(args),
  "torch._utils._rebuild_tensor": (args) => rebuilt(args),
  "torch._utils._rebuild_parameter": ([tensor]) => tensor,
  "torch._utils._rebuild_parameter_with_state": ([tensor]) => tensor,
  "torch.Size": ([sizes]) => sizes,
};

function rebuilt([storage, offset, shape, strides]: readonly Torch[]): TorchTensor {
  if (!(storage instanceof Storage) || !isCount(offset) || !areCounts(shape) || !areCounts(strides) || shape.length !== strides.length)
    throw formatError(where, "its pickle describes a tensor without storage, shape and strides");
  const last = shape.includes(0) ? 0 : offset + 1 + shape.reduce((sum, size, axis) => sum + (size - 1) * strides[axis], 0);
  if (!(last <= storage.count))
    throw formatError(
      where,
      `a tensor of shape ${show(shape)} and strides ${show(strides)} ends behind its storage of ${storage.count} numbers`,
    );
  return new TorchTensor(storage, offset, shape, strides);
}

const host: PickleHost<Storage | TorchTensor> = {
  checkGlobal(name) {
    if (!Object.hasOwn(functions, name) && !storageType(name) && !isDtype(name)) refuseGlobal(name);
  },
  call: (name, args) => (Object.hasOwn(functions, name) ? functions[name](args) : refuseGlobal(name)),
  persistent(id) {
    const [kind, type, key, , count] = Array.isArray(id) ? id : [];
    const element = type instanceof Global ? storageType(type.name) : undefined;
    if (kind !== "storage" || !element || typeof key !== "string" || !isCount(count))
      throw formatError(where, `its pickle refers to ${type instanceof Global ? type.name : show(kind)}, which is no storage of numbers`);
    return new Storage(key, element, count);
  },
};

/** What a file holds: its value, and the bytes of its storages. */
export interface TorchFile {
  readonly value: Torch;
  /** Bytes of a storage by its key. */
  bytesOf(key: string): Uint8Array | undefined;
  /** Bytes of the file. */
  readonly size: number;
}

function readZip(bytes: Uint8Array): TorchFile {
  const main = namesInZip(where, bytes).find((name) => name === "data.pkl" || name.endsWith("/data.pkl"));
  if (main === undefined) throw formatError(where, "its archive has no data.pkl");
  const root = main.slice(0, -"data.pkl".length);
  const files = unzip(where, bytes, (name) => name === main || name === `${root}byteorder` || name.startsWith(`${root}data/`));
  const order = files.get(`${root}byteorder`);
  if (order && decodeUtf8(order).trim() !== "little")
    throw formatError(where, "it was written on a big-endian machine; save it on another one");
  const { value } = readPickle(files.get(main)!, 0, host);
  return { value, size: bytes.length, bytesOf: (key) => files.get(`${root}data/${key}`) };
}

/** The first pickle of a file of before PyTorch 1.6. */
const legacyMagic = 0x1950a86a20f9469cfc6cn;

function readLegacy(bytes: Uint8Array): TorchFile {
  const magic = readPickle(bytes, 0, host);
  if (magic.value !== legacyMagic) throw formatError(where, "it does not begin as torch.save begins a file");
  const protocol = readPickle(bytes, magic.end, host);
  const system = readPickle(bytes, protocol.end, host);
  if (system.value instanceof Map && system.value.get("little_endian") === false)
    throw formatError(where, "it was written on a big-endian machine; save it on another one");
  const { value, end } = readPickle(bytes, system.end, host);
  const keys = readPickle(bytes, end, host);
  if (!Array.isArray(keys.value)) throw formatError(where, "its list of storages is missing");
  const sizes = new Map<string, number>();
  eachTensor(value, ({ storage }) => sizes.set(storage.key, storage.element.size));
  const storages = new Map<string, Uint8Array>();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = keys.end;
  for (const key of keys.value) {
    if (typeof key !== "string") throw formatError(where, `its list of storages must have their keys, got ${show(key)}`);
    const length = Number(view.getBigUint64(at, true)) * (sizes.get(key) ?? NaN);
    if (!(length <= bytes.length - at - 8)) throw formatError(where, `it is truncated, or no tensor has storage ${show(key)}`);
    storages.set(key, bytes.subarray(at + 8, at + 8 + length));
    at += 8 + length;
  }
  return { value, size: bytes.length, bytesOf: (key) => storages.get(key) };
}

/** @throws RnnError `format` */
export function readTorch(bytes: Uint8Array): TorchFile {
  if (bytes[0] === 0x50) return readZip(bytes);
  return readLegacy(bytes);
}

/** Calls `found` for each tensor inside a value, once for each place; what contains itself is entered once. */
function eachTensor(value: Torch, found: (tensor: TorchTensor) => void, seen = new Set<Torch>()): void {
  const waiting: Torch[] = [value];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (next instanceof TorchTensor) found(next);
    else if ((Array.isArray(next) || next instanceof Map) && !seen.has(next)) {
      seen.add(next);
      for (const inner of next.values()) waiting.push(inner);
    }
  }
}

/** Numbers that the tensors of a file may have, together, for each of its bytes: views may share storages. */
const mostViews = 8;

/** Copies tensors out of their storages, in the order of their rows. */
export function copyTensors(file: TorchFile, dict: ReadonlyMap<string, TorchTensor>): Record<string, Tensor> {
  const total = [...dict.values()].reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const most = Math.max(2 ** 20, mostViews * file.size);
  if (!(total <= most))
    throw formatError(where, `its tensors would have ${total} numbers, and a file of ${file.size} bytes may have ${most}`);
  return Object.fromEntries([...dict].map(([name, tensor]) => [name, copyTensor(file, name, tensor)]));
}

function copyTensor(file: TorchFile, name: string, { storage, offset, shape, strides }: TorchTensor): Tensor {
  const { element, key, count } = storage;
  const bytes = file.bytesOf(key);
  if (!bytes || bytes.length < count * element.size)
    throw formatError(where, `${show(name)} needs storage ${show(key)} of ${count * element.size} bytes, got ${bytes?.length ?? "none"}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const data = new element.array(sizeOf(shape));
  const index = shape.map(() => 0);
  let from = offset;
  for (let i = 0; i < data.length; i++) {
    data[i] = element.read(view, from * element.size);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis];
      if (++index[axis] < shape[axis]) break;
      from -= shape[axis] * strides[axis];
      index[axis] = 0;
    }
  }
  return { shape: [...shape], data };
}
