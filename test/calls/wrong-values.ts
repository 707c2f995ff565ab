// Values that are wrong nearly everywhere, and some that are right somewhere.
import vm from "node:vm";
import * as rnn from "webgpu-rnn/static";

/** Wrong values that people and programs may pass, made again for each call. */
export const wrongValues: Readonly<Record<string, () => unknown>> = {
  undefined: () => undefined,
  null: () => null,
  true: () => true,
  false: () => false,
  NaN: () => NaN,
  Infinity: () => Infinity,
  "-Infinity": () => -Infinity,
  "-1": () => -1,
  "0": () => 0,
  "-0": () => -0,
  "1": () => 1,
  "2": () => 2,
  "0.5": () => 0.5,
  "1e300": () => 1e300,
  "2^31": () => 2 ** 31,
  "2^53": () => 2 ** 53,
  "1e9": () => 1e9,
  "an empty text": () => "",
  "a text": () => "abc",
  "a long text": () => "x".repeat(1e5),
  "a text of stars": () => `${"*".repeat(1e4)}y`,
  "half a pair": () => "\ud800",
  symbol: () => Symbol("s"),
  bigint: () => 3n,
  "a large bigint": () => 10n ** 400n,
  function: () => () => undefined,
  class: () => class {},
  "async function": () => async () => undefined,
  generator: () =>
    (function* () {
      yield 1;
    })(),
  "[]": () => [],
  "[1, 2]": () => [1, 2],
  "[undefined]": () => [undefined],
  "[null]": () => [null],
  "[symbol]": () => [Symbol("s")],
  "nested lists": () => [
    [1, 2],
    [3, 4],
  ],
  "ragged lists": () => [[1], [2, 3]],
  "a list of texts": () => ["a", "b"],
  "a list with a hole": () => [1, , 3] as unknown,
  "a sparse list": () => new Array(4e9) as unknown,
  "a cyclic list": () => cyclic([]),
  "a list of objects": () => [{}, {}],
  "{}": () => ({}),
  "a null object": () => Object.create(null) as unknown,
  "a cyclic object": () => {
    const o: Record<string, unknown> = {};
    return (o.a = o.shape = o.data = o);
  },
  "an object of numbers": () => ({ a: 1, b: 2 }),
  __proto__: () => JSON.parse('{"__proto__": 1}') as unknown,
  "throwing getters": () => throwing(),
  "a throwing Proxy": () => new Proxy({}, throwingTraps),
  "a throwing list": () => new Proxy([1, 2], throwingTraps),
  "a revoked Proxy": () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  },
  "a revoked list": () => {
    const { proxy, revoke } = Proxy.revocable([], {});
    revoke();
    return proxy;
  },
  "a harmless Proxy": () => new Proxy({}, {}),
  Date: () => new Date(0),
  "an invalid Date": () => new Date(NaN),
  Map: () => new Map([["a", 1]]),
  Set: () => new Set([1]),
  WeakMap: () => new WeakMap(),
  RegExp: () => /a/,
  Error: () => new Error("e"),
  Promise: () => Promise.resolve(1),
  thenable: () => ({ then: 3 }),
  "boxed number": () => new Number(3),
  "boxed text": () => new String("abc"),
  ArrayBuffer: () => new ArrayBuffer(8),
  SharedArrayBuffer: () => new SharedArrayBuffer(8),
  DataView: () => new DataView(new ArrayBuffer(8)),
  "a detached buffer": () => detached().buffer,
  "a detached array": () => detached(),
  "a shared array": () => new Float32Array(new SharedArrayBuffer(8)),
  "a resizable buffer": () => resizable(),
  Uint8Array: () => Uint8Array.of(1, 2),
  Float32Array: () => Float32Array.of(1, 2),
  "an array of NaN": () => Float64Array.of(NaN, 1e300),
  BigInt64Array: () => BigInt64Array.of(1n, 2n),
  "another realm's list": () => vm.runInNewContext("[1, 2]") as unknown,
  "another realm's array": () => vm.runInNewContext("Float32Array.of(1, 2)") as unknown,
  "another realm's object": () => vm.runInNewContext("({ a: 1 })") as unknown,
  "a false tag": () => ({ [Symbol.toStringTag]: "Float32Array", length: 2 }),
  "a list that is an object": () => ({ length: 2, 0: 1, 1: 1 }),
  "a long list that is an object": () => ({ length: 2 ** 53 - 1 }),
  "a negative length": () => ({ length: -1 }),
  "a tensor": () =>
    rnn.tensor([
      [1, 2],
      [3, 4],
    ]),
  "an empty tensor": () => ({ shape: [0], data: new Float32Array(0) }),
  "a scalar": () => rnn.tensor(3),
  "a huge shape": () => ({ shape: [2 ** 53, 2 ** 53], data: [1] }),
  "a shape of texts": () => ({ shape: ["a"], data: [1] }),
  "a negative shape": () => ({ shape: [-1, -1], data: [1] }),
  "a tensor of texts": () => ({ shape: [1], data: ["a"] }),
  "a tensor without data": () => ({ shape: [1] }),
  "a tensor of symbols": () => ({ shape: [Symbol("s")], data: [Symbol("s")] }),
  "a layer with nothing in it": () => Object.create(rnn.GRU.prototype) as unknown,
  "a vocabulary with nothing in it": () => Object.create(rnn.Vocabulary.prototype) as unknown,
  "a module": () => new rnn.Linear(1, 1),
  "a wrong layer": () => new rnn.GRU(7, 3, { batchFirst: true, bidirectional: true }),
  "a vocabulary": () => new rnn.Vocabulary(["x"]),
  "a loss": () => rnn.squaredError(),
  "half a loss": () => ({ name: "l", record() {} }),
  "an optimiser": () => rnn.sgd(),
  "half an optimiser": () => ({ record() {} }),
  "half a backend": () => ({ prepare() {} }),
  "half data": () => ({ batch: () => undefined }),
  "data of nothing": () => ({ batches: 0, batch: () => ({}) }),
  "an aborted signal": () => AbortSignal.abort(),
  "half a signal": () => ({ aborted: false }),
  globalThis: () => globalThis,
};

function cyclic(list: unknown[]): unknown[] {
  list.push(list);
  return list;
}
function throwing(): unknown {
  const names = [
    "backend",
    "shape",
    "data",
    "input",
    "length",
    "end",
    "loss",
    "optimizer",
    "batch",
    "constructor",
    "name",
    "steps",
    "prepare",
    "record",
    "0",
    "seed",
    "aborted",
    "version",
  ];
  return Object.defineProperties(
    {},
    Object.fromEntries(
      names.map((name) => [
        name,
        {
          enumerable: true,
          get: () => {
            throw new TypeError("a getter's own error");
          },
        },
      ]),
    ),
  );
}
const refuse = (): never => {
  throw new RangeError("a trap's own error");
};
const throwingTraps: ProxyHandler<never[] | object> = {
  get: refuse,
  has: refuse,
  ownKeys: refuse,
  getOwnPropertyDescriptor: refuse,
  getPrototypeOf: refuse,
};
function detached(): Float32Array {
  const array = new Float32Array(2);
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return array;
}
function resizable(): Float32Array {
  const buffer = new (ArrayBuffer as unknown as new (length: number, options: object) => ArrayBuffer & { resize(length: number): void })(
    16,
    { maxByteLength: 32 },
  );
  const array = new Float32Array(buffer);
  buffer.resize(4);
  return array;
}
