/**
 * Reads Python's pickles as data. A pickle is a program that can call anything; here it calls nothing. The opcodes that
 * build values are interpreted, and what it would call is left to `call`, which knows the few functions that tensors need.
 */
import { clip } from "../../errors.ts";
import { decodeUtf8 } from "../../io/utf8.ts";
import { formatError } from "../imported.ts";

/** A class or function that a pickle names. */
export class Global {
  constructor(readonly name: string) {}
}

/** Values: dicts are maps, lists and tuples are arrays, and `T` is what calls return. */
export type Value<T> = null | boolean | number | bigint | string | Uint8Array | Global | Mark | T | Value<T>[] | Map<Value<T>, Value<T>>;

class Mark {
  readonly mark = true;
}

export interface PickleHost<T> {
  /** The value of a function's call. @throws RnnError `format` for functions that are not known */
  call(name: string, args: readonly Value<T>[]): Value<T>;
  /** The value that stands for an object outside of the pickle. */
  persistent(id: Value<T>): Value<T>;
  /** @throws RnnError `format` for names that may not occur */
  checkGlobal(name: string): void;
}

const where = "PyTorch file";

/** The bytes of a pickle, read from the first to the last. */
class Reader {
  private readonly view: DataView;

  constructor(
    readonly bytes: Uint8Array,
    public at: number,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** The next bytes. */
  take(count: number): Uint8Array {
    if (!(count <= this.bytes.length - this.at)) throw formatError(where, "its pickle is truncated");
    return this.bytes.subarray(this.at, (this.at += count));
  }
  /** The place of the next bytes. */
  private skip(count: number): number {
    return this.take(count).byteOffset - this.bytes.byteOffset;
  }
  u8 = (): number => this.view.getUint8(this.skip(1));
  u16 = (): number => this.view.getUint16(this.skip(2), true);
  u32 = (): number => this.view.getUint32(this.skip(4), true);
  i32 = (): number => this.view.getInt32(this.skip(4), true);
  u64 = (): number => Number(this.view.getBigUint64(this.skip(8), true));
  f64 = (): number => this.view.getFloat64(this.skip(8), false);
  text = (count: number): string => decodeUtf8(this.take(count));
  line(): string {
    const end = this.bytes.indexOf(10, this.at);
    if (end < 0) throw formatError(where, "its pickle is truncated");
    return this.text(end - this.at + 1).slice(0, -1);
  }
  /** An integer of so many bytes in two's complement. */
  integer(count: number): number | bigint {
    if (count > 64) throw formatError(where, `its pickle has an integer of ${count} bytes`);
    let value = 0n;
    const bytes = this.take(count);
    for (let i = count - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]);
    if (count > 0 && bytes[count - 1] >= 128) value -= 1n << BigInt(8 * count);
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }
}

class Machine<T> {
  private readonly stack: Value<T>[] = [];
  private readonly memo = new Map<number, Value<T>>();

  constructor(
    private readonly reader: Reader,
    private readonly host: PickleHost<T>,
  ) {}

  run(): Value<T> {
    for (;;) {
      const code = this.reader.u8();
      if (code === 0x2e) return this.pop();
      const operation = operations[code] as ((machine: Machine<T>, reader: Reader) => void) | undefined;
      if (!operation)
        throw formatError(
          where,
          `its pickle has the opcode 0x${code.toString(16)}, which tensors do not need; save model.state_dict() instead`,
        );
      operation(this, this.reader);
    }
  }

  push(value: Value<T>): void {
    this.stack.push(value);
  }
  pop(): Value<T> {
    if (this.stack.length === 0) throw formatError(where, "its pickle takes a value where there is none");
    return this.stack.pop()!;
  }
  /** The values after the last mark. */
  popMark(): Value<T>[] {
    const from = this.stack.findLastIndex((value) => value instanceof Mark);
    if (from < 0) throw formatError(where, "its pickle lacks a mark");
    const values = this.stack.splice(from);
    values.shift();
    return values;
  }
  top(): Value<T> {
    const value = this.pop();
    this.push(value);
    return value;
  }
  put(index: number): void {
    this.memo.set(index, this.top());
  }
  memoize(): void {
    this.put(this.memo.size);
  }
  get(index: number): void {
    if (!this.memo.has(index)) throw formatError(where, `its pickle asks for value ${index}, which it has not kept`);
    this.push(this.memo.get(index)!);
  }
  /** Adds names and values in turn to the dict on top. */
  setItems(items: Value<T>[]): void {
    const map = this.top();
    if (!(map instanceof Map) || items.length % 2 !== 0) throw formatError(where, "its pickle sets items of what is no dict");
    for (let i = 0; i < items.length; i += 2) map.set(items[i], items[i + 1]);
  }
  append(items: Value<T>[]): void {
    const list = this.top();
    if (!Array.isArray(list)) throw formatError(where, "its pickle appends to what is no list");
    for (const item of items) list.push(item);
  }
  global(name: string): void {
    this.host.checkGlobal(name);
    this.push(new Global(name));
  }
  stackGlobal(): void {
    const [name, module] = [this.pop(), this.pop()];
    if (typeof name !== "string" || typeof module !== "string") throw formatError(where, "its pickle names a function by no text");
    this.global(`${module}.${name}`);
  }
  reduce(): void {
    const [args, callee] = [this.pop(), this.pop()];
    if (!(callee instanceof Global) || !Array.isArray(args)) throw formatError(where, "its pickle calls what is no function");
    this.push(this.host.call(callee.name, args));
  }
  /** State dictionaries have attributes, such as the version of their modules; nothing needs them. */
  build(): void {
    this.pop();
    const object = this.top();
    if (!(object instanceof Map)) throw formatError(where, `its pickle sets the state of an object that is no dictionary`);
  }
  persistent(): void {
    this.push(this.host.persistent(this.pop()));
  }
  tuple(count: number): void {
    if (this.stack.length < count) throw formatError(where, "its pickle takes a value where there is none");
    this.push(this.stack.splice(this.stack.length - count));
  }
}

type Operation = (machine: Machine<unknown>, reader: Reader) => void;

/** What each opcode does. */
const operations: Readonly<Record<number, Operation>> = {
  0x80: (_, r) => r.u8(), // PROTO
  0x95: (_, r) => r.u64(), // FRAME
  0x28: (m) => m.push(new Mark()),
  0x30: (m) => m.pop(),
  0x31: (m) => m.popMark(),
  0x32: (m) => m.push(m.top()),
  0x4e: (m) => m.push(null),
  0x88: (m) => m.push(true),
  0x89: (m) => m.push(false),
  0x4a: (m, r) => m.push(r.i32()),
  0x4b: (m, r) => m.push(r.u8()),
  0x4d: (m, r) => m.push(r.u16()),
  0x8a: (m, r) => m.push(r.integer(r.u8())),
  0x8b: (m, r) => m.push(r.integer(r.u32())),
  0x47: (m, r) => m.push(r.f64()),
  0x58: (m, r) => m.push(r.text(r.u32())),
  0x8c: (m, r) => m.push(r.text(r.u8())),
  0x8d: (m, r) => m.push(r.text(r.u64())),
  0x54: (m, r) => m.push(r.text(r.u32())),
  0x55: (m, r) => m.push(r.text(r.u8())),
  0x42: (m, r) => m.push(r.take(r.u32())),
  0x43: (m, r) => m.push(r.take(r.u8())),
  0x8e: (m, r) => m.push(r.take(r.u64())),
  0x29: (m) => m.push([]),
  0x5d: (m) => m.push([]),
  0x7d: (m) => m.push(new Map()),
  0x74: (m) => m.push(m.popMark()),
  0x6c: (m) => m.push(m.popMark()),
  0x64: (m) => {
    const items = m.popMark();
    m.push(new Map());
    m.setItems(items);
  },
  0x85: (m) => m.tuple(1),
  0x86: (m) => m.tuple(2),
  0x87: (m) => m.tuple(3),
  0x61: (m) => m.append([m.pop()]),
  0x65: (m) => m.append(m.popMark()),
  0x73: (m) => {
    const [value, name] = [m.pop(), m.pop()];
    m.setItems([name, value]);
  },
  0x75: (m) => m.setItems(m.popMark()),
  0x71: (m, r) => m.put(r.u8()),
  0x72: (m, r) => m.put(r.u32()),
  0x94: (m) => m.memoize(),
  0x68: (m, r) => m.get(r.u8()),
  0x6a: (m, r) => m.get(r.u32()),
  0x63: (m, r) => {
    const module = r.line();
    m.global(`${module}.${r.line()}`);
  },
  0x93: (m) => m.stackGlobal(),
  0x52: (m) => m.reduce(),
  0x62: (m) => m.build(),
  0x51: (m) => m.persistent(),
};

/** Reads the pickle that begins at `at`. @returns its value and where it ends */
export function readPickle<T>(bytes: Uint8Array, at: number, host: PickleHost<T>): { value: Value<T>; end: number } {
  const reader = new Reader(bytes, at);
  const value = new Machine<T>(reader, host).run();
  return { value, end: reader.at };
}

/** @throws RnnError `format` that names what a pickle must not call */
export function refuseGlobal(name: string): never {
  throw formatError(
    where,
    `its pickle names ${clip(name, 120)}, which tensors do not need; nothing was run. Save model.state_dict(), with tensors and plain numbers alone`,
  );
}
