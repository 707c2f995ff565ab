/** Reads ONNX' TensorProto: sizes, type, and numbers in one of several fields. */
import { clip, show } from "../../errors.ts";
import { decodeUtf8 } from "../../io/utf8.ts";
import { halfToNumber } from "../../tensor/half.ts";
import { sizeOf } from "../../tensor/shape.ts";
import { fail, type Kind, type Known } from "./graph.ts";
import type { PbfReader } from "../parsers/protobuf.ts";

/** More numbers than a tensor of a file may have. */
const mostNumbers = 2 ** 28;
/** Most axes of a tensor. */
export const mostAxes = 16;

interface Type {
  readonly name: string;
  readonly kind: Kind;
  /** Bytes of a number in the raw data. */
  readonly size: number;
  readonly read: (view: DataView, at: number) => number;
}

const type = (name: string, kind: Kind, size: number, read: Type["read"]): Type => ({ name, kind, size, read });

/** Types by ONNX' numbers. */
const types: Readonly<Record<number, Type>> = {
  1: type("float", "float", 4, (view, at) => view.getFloat32(at, true)),
  2: type("uint8", "int", 1, (view, at) => view.getUint8(at)),
  3: type("int8", "int", 1, (view, at) => view.getInt8(at)),
  4: type("uint16", "int", 2, (view, at) => view.getUint16(at, true)),
  5: type("int16", "int", 2, (view, at) => view.getInt16(at, true)),
  6: type("int32", "int", 4, (view, at) => view.getInt32(at, true)),
  7: type("int64", "int", 8, (view, at) => Number(view.getBigInt64(at, true))),
  9: type("bool", "bool", 1, (view, at) => Number(view.getUint8(at) !== 0)),
  10: type("float16", "float", 2, (view, at) => halfToNumber(view.getUint16(at, true))),
  11: type("double", "float", 8, (view, at) => view.getFloat64(at, true)),
  12: type("uint32", "int", 4, (view, at) => view.getUint32(at, true)),
  13: type("uint64", "int", 8, (view, at) => Number(view.getBigUint64(at, true))),
  16: type("bfloat16", "float", 2, (view, at) => {
    const word = new DataView(new ArrayBuffer(4));
    word.setUint32(0, view.getUint16(at, true) << 16);
    return word.getFloat32(0);
  }),
};

const others: Readonly<Record<number, string>> = { 8: "string", 14: "complex64", 15: "complex128" };

/** @throws RnnError `format` for a type whose numbers are not read */
export function typeOf(number: number, what: string): Type {
  return (
    types[number] ??
    fail(
      `${what} is of type ${others[number] ?? number}; read are ${Object.values(types)
        .map(({ name }) => name)
        .join(", ")}`,
    )
  );
}

/** The kind of numbers that a Cast to this type gives. */
export const kindOf = (number: number, what: string): Kind => typeOf(number, what).kind;

/** Fields of a TensorProto while it is read. */
interface Fields {
  dims: number[];
  type: number;
  name: string;
  raw?: Uint8Array;
  listed: number[];
  isElsewhere: boolean;
}

/** Reads one number, or a packed list of them. */
export function readNumbers(
  pbf: PbfReader,
  into: number[],
  read: (pbf: PbfReader) => number,
  message: (pbf: PbfReader) => PbfReader,
): void {
  if (pbf.type !== 2) {
    into.push(read(pbf));
    return;
  }
  const packed = message(pbf);
  while (packed.pos < packed.length) into.push(read(packed));
}

/** @param message a reader of the message that begins here */
export function readTensor(pbf: PbfReader, message: (pbf: PbfReader) => PbfReader): { name: string; tensor: Known } {
  const signed = (from: PbfReader): number => from.readVarint(true);
  const fields: Fields = { dims: [], type: 0, name: "", listed: [], isElsewhere: false };
  pbf.readFields((tag, into, from) => {
    if (tag === 1) readNumbers(from, into.dims, signed, message);
    else if (tag === 2) into.type = from.readVarint();
    else if (tag === 4) readNumbers(from, into.listed, (one) => one.readFloat(), message);
    else if (tag === 5 || tag === 7) readNumbers(from, into.listed, signed, message);
    else if (tag === 8) into.name = decodeUtf8(message(from).buf);
    else if (tag === 9) into.raw = message(from).buf;
    else if (tag === 10) readNumbers(from, into.listed, (one) => one.readDouble(), message);
    else if (tag === 11) readNumbers(from, into.listed, (one) => one.readVarint(), message);
    else if (tag === 14) into.isElsewhere = from.readVarint() === 1;
  }, fields);
  return { name: fields.name, tensor: tensorOf(fields) };
}

function tensorOf({ dims, type: number, name, raw, listed, isElsewhere }: Fields): Known {
  const what = `tensor "${clip(name)}"`;
  if (isElsewhere) fail(`${what} has its numbers in another file; save the model with all data in one file`);
  if (dims.length > mostAxes || !dims.every((n) => Number.isSafeInteger(n) && n >= 0))
    fail(`${what} has no valid shape, got ${show(dims)}`);
  const count = sizeOf(dims);
  if (count > mostNumbers) fail(`${what} of ${show(dims)} would have more than ${mostNumbers} numbers`);
  const { kind, size, read, name: typeName } = typeOf(number, what);
  const has = raw ? raw.length / size : listed.length;
  if (has !== count) fail(`${what} of ${show(dims)} and type ${typeName} needs ${count} numbers, the file has ${has}`);
  const data = kind === "float" && number !== 11 ? new Float32Array(count) : new Float64Array(count);
  if (raw) {
    const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
    for (let i = 0; i < count; i++) data[i] = read(view, i * size);
  } else {
    const half = number === 10 || number === 16;
    const word = new DataView(new ArrayBuffer(8));
    for (let i = 0; i < count; i++) {
      // Halves stand in int32_data as their bits.
      if (half) word.setUint16(0, listed[i], true);
      data[i] = half ? read(word, 0) : listed[i];
    }
  }
  return { shape: dims, data, kind, type: number };
}
