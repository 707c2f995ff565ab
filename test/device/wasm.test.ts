/** Every WebAssembly kernel of the CPU backend against its twin, on sizes that leave remainders everywhere. */
import { beforeAll, describe, expect, it } from "vitest";
import { CpuBackend } from "../../src/backend/cpu/cpu-backend.ts";
import { WasmKernels } from "../../src/backend/cpu/wasm-kernels.ts";
import { activationForward } from "../../src/kernels/activations.ts";
import { binary, binaryNames } from "../../src/kernels/binary.ts";
import { arithmeticOf } from "../../src/recurrent/cells/all-cells.ts";
import type { Cell } from "../../src/recurrent/cells/cell.ts";
import { identity, usualFunctions } from "../../src/recurrent/cells/gate-functions.ts";
import { gru } from "../../src/recurrent/cells/gru.ts";
import { lstm, lstmCell } from "../../src/recurrent/cells/lstm.ts";
import { memoryNumbers } from "../../src/recurrent/cells/memory.ts";
import { rnnTanh } from "../../src/recurrent/cells/rnn.ts";
import type { Kernel } from "../../src/kernels/kernel.ts";
import { matmulBlocks, matmulBlocksWithSums, matmulNaive, matmulSmallM, type MatmulParams } from "../../src/kernels/matmul.ts";
import { hSize, laneStart, type Segment } from "../../src/recurrent/kernels/lanes.ts";
import { loopForward } from "../../src/recurrent/kernels/loop.ts";
import { loopBackward } from "../../src/recurrent/kernels/loop.backward.ts";
import { stepForward } from "../../src/recurrent/kernels/step.ts";
import { stepBackward } from "../../src/recurrent/kernels/step.backward.ts";
import { kernels } from "../../src/backend/all-kernels.ts";
import { onePhaseCells as cells } from "../../src/recurrent/cells/all-cells.ts";
import { Recording, type Buffer } from "../../src/recording/recording.ts";
import type { NumericArray } from "../../src/tensor/tensor.ts";
import { casesOf } from "../../src/backend/self-test/kernel-cases.ts";
import { expectClose, numbers } from "./support.ts";
import { sampled } from "../thorough.ts";

let fast: CpuBackend;
let twins: CpuBackend;

beforeAll(async () => {
  fast = await CpuBackend.create();
  twins = await CpuBackend.create({ wasm: false });
});

/** Parts of the names of kernels that WebAssembly does not have: those of a few numbers, those that no large model is slow in, those with two phases and chosen functions, those that only a GPU is given, and those of halves. */
const twinsOnly = [
  "sample",
  "choose",
  "advance",
  "loss-sum",
  "binary-",
  "unary",
  "^shift-rows$",
  "step-bits",
  "^fold$",
  "extreme",
  "cumulative",
  "normalize-backward",
  ":stacked",
  "-shared",
  "half",
  "per-unit-gradient",
  "two-phase.*-clip",
];
const hasFastKernel = ({ name }: Kernel): boolean => !twinsOnly.some((part) => new RegExp(part).test(name));

type Arrays = Record<string, NumericArray>;

/**
 * Runs one dispatch and returns every buffer as it is afterwards.
 * @param settles whether what the kernel only reads changes between runs only, so that it may be kept in another order
 */
async function run(
  backend: CpuBackend,
  kernel: Kernel,
  arrays: Arrays,
  params: Readonly<Record<string, number>>,
  settles = false,
): Promise<Arrays> {
  const recording = new Recording();
  const views = Object.fromEntries(
    Object.entries(kernel.bindings).map(([name, { type }]) => [name, recording.buffer(name, [arrays[name].length], "external", type)]),
  );
  if (settles) for (const [name, { access }] of Object.entries(kernel.bindings)) if (access === "read") recording.settle(views[name]);
  recording.dispatch(kernel, views, params);
  const memory = new Map<Buffer, ReturnType<CpuBackend["createBuffer"]>>();
  for (const [name, { buffer }] of Object.entries(views))
    memory.set(buffer, backend.createBuffer(name, buffer.type, buffer.length, arrays[name]));
  const program = await backend.prepare(recording, memory);
  await program.run();
  const after: Arrays = {};
  for (const [buffer, { array }] of memory) after[buffer.label] = array.slice();
  program.free();
  for (const buffer of memory.values()) backend.free(buffer);
  return after;
}

const same = (a: NumericArray, b: NumericArray): boolean => a.every((value, i) => Object.is(value, b[i]));

/** As expectClose, but NaN is what NaN is alike: some cases divide by 0, raise negative numbers to powers, or have a loss of NaN. */
function expectAlike(what: string, actual: NumericArray, expected: NumericArray, tolerance: Parameters<typeof expectClose>[3]): void {
  const zeroForSharedNaN = (of: NumericArray, other: NumericArray): number[] =>
    Array.from(of, (x, i) => (Number.isNaN(x) && Number.isNaN(other[i]) ? 0 : x));
  expectClose(what, zeroForSharedNaN(actual, expected), zeroForSharedNaN(expected, actual), tolerance);
}

/** Holds the kernel to its twin in every buffer, also where neither should have written, and to itself bit for bit. */
async function expectTwin(
  kernel: unknown,
  arrays: Arrays,
  params: Readonly<Record<string, number>>,
  tolerance = { atol: 1e-5, rtol: 1e-5 },
): Promise<void> {
  const { name } = kernel as Kernel;
  const actual = await run(fast, kernel as Kernel, arrays, params);
  expect(fast.fastKernel(kernel as Kernel), `${name} has a WebAssembly version`).toBeDefined();
  const again = await run(fast, kernel as Kernel, arrays, params);
  const settled = await run(fast, kernel as Kernel, arrays, params, true);
  const expected = await run(twins, kernel as Kernel, arrays, params);
  for (const binding of Object.keys(expected)) {
    if (!same(actual[binding], again[binding])) expect.fail(`${name} ${JSON.stringify(params)} ${binding} differs from run to run`);
    expectAlike(`${name} ${JSON.stringify(params)} ${binding}`, actual[binding], expected[binding], tolerance);
    // Few rows of a product are summed in another order where the other operand is not settled.
    if (!name.startsWith("matmul") && !same(actual[binding], settled[binding])) expect.fail(`${name} ${binding} differs when settled`);
    expectAlike(`${name} settled ${JSON.stringify(params)} ${binding}`, settled[binding], expected[binding], tolerance);
  }
}

it("is used by default and can be turned off", () => {
  expect(fast.adapter).toMatch(/^CPU, WASM SIMD( \(relaxed\))?$/);
  expect(twins.adapter).toContain("wasm: false");
  expect(twins.fastKernel(matmulNaive)).toBeUndefined();
});

it.each(twinsOnly)("leaves the kernels with %s in their names to their twins", (part) => {
  const named = kernels.filter(({ name }) => new RegExp(part).test(name));
  expect(named.length).toBeGreaterThan(0);
  expect(named.filter((kernel) => fast.fastKernel(kernel)).map(({ name }) => name)).toEqual([]);
});

/** Row sums of A are made for A = dYᵀ with dY whole, which is how the gradient of a weight comes; else they are refused. */
const hasSums = (params: Readonly<Record<string, number>>): boolean => params.aRow === 1 && params.aColumn === params.M;

/** A cell that WebAssembly does not know, with the arithmetic of one that it does. */
const foreign = (cell: Cell): Cell => ({ ...cell, shader: "foreign", own: { wgsl: "", arithmetic: arithmeticOf(cell) } });
const foreignCells = [lstmCell({ forgetGate: "coupled", peepholes: true }, { ...usualFunctions, output: identity }), gru, rnnTanh].map(
  foreign,
);
const foreignKernels = foreignCells.flatMap((cell) => [
  stepForward(cell),
  stepBackward(cell),
  loopForward(cell, 33, 4),
  loopBackward(cell, 33, 4),
]);

// The cases of the GPU's kernels, for each kernel with a WebAssembly version.
describe.each([...kernels.filter(hasFastKernel), ...sampled<Kernel>(foreignKernels, 4)].map((kernel) => [kernel.name, kernel] as const))(
  "%s",
  (_, kernel) => {
    const all = casesOf(kernel).filter(({ params }) => !kernel.name.endsWith("-sums") || hasSums(params));
    const cases = sampled(all, 3);
    it.each(cases.map((one) => [`${one.note ?? ""} ${JSON.stringify(one.params)}`, one] as const))(
      "computes what its twin does: %s",
      async (_, { params, arrays }) => {
        await expectTwin(kernel, arrays, params);
      },
    );
  },
);

describe("σ and tanh", () => {
  /** Every 1/8192 from -24 to 24, and from 2^-126 up in steps of 1/512 of a power of two. */
  const sweep = Float32Array.from([
    ...Array.from({ length: 48 * 8192 + 1 }, (_, i) => i / 8192 - 24),
    ...Array.from({ length: 130 * 512 }, (_, i) => 2 ** (i / 512 - 126)),
    ...Array.from({ length: 130 * 512 }, (_, i) => -(2 ** (i / 512 - 126))),
  ]);

  async function activate(kind: number, x: Float32Array): Promise<Float32Array> {
    const { y } = await run(fast, activationForward, { x, y: new Float32Array(x.length) }, { length: x.length, kind });
    return y as Float32Array;
  }

  it.each([
    ["σ", 0, (x: number) => 1 / (1 + Math.exp(-x)), 1.2e-7, 5e-6],
    ["tanh", 1, Math.tanh, 1.2e-7, 3e-7],
  ] as const)("%s stays within its bounds of error", async (name, kind, exact, absolute, relative) => {
    const y = await activate(kind, sweep);
    for (let i = 0; i < sweep.length; i++) {
      const expected = exact(sweep[i]);
      const error = Math.abs(y[i] - expected);
      if (!(error <= absolute) || !(error <= relative * Math.abs(expected) + 2 ** -140))
        expect.fail(`${name}(${sweep[i]}) is ${y[i]}, expected ${expected}`);
      if (Math.abs(y[i]) > 1) expect.fail(`${name}(${sweep[i]}) is ${y[i]}`);
    }
  });

  it("saturate and pass NaN on", async () => {
    const x = Float32Array.of(9.02, 30, 1e30, Infinity, -9.02, -1e30, -Infinity, NaN, 0);
    const tanh = await activate(1, x);
    expect([...tanh.subarray(0, 7)]).toEqual([1, 1, 1, 1, -1, -1, -1]);
    expect([...tanh.subarray(7)]).toEqual([NaN, 0]);
    const [a, b, c, d, , low, least, nan, half] = await activate(
      0,
      x.map((value) => value * 2),
    );
    expect([a, b, c, d, half]).toEqual([1, 1, 1, 1, 0.5]);
    expect([low, least].every((value) => value > 0 && value < 1e-37)).toBe(true);
    expect(nan).toBeNaN();
  });

  it("σ of a cell's gates stays within its bound and between 0 and 1", async () => {
    const H = 8;
    const B = Math.floor(sweep.length / (4 * H));
    const states = (): Float32Array => new Float32Array(2 * B * H);
    const arrays = {
      gates: sweep.slice(0, B * H * 4),
      weights: new Float32Array((H + 1) * H * 4),
      h: states(),
      c: states(),
      lengths: new Uint32Array(B).fill(1),
    };
    const { gates } = await run(fast, stepForward(lstm), arrays, { T: 1, B, H, first: 0, steps: 1, hBase: 0, lanes: 1, reverse: 0, i: 0 });
    for (let i = 0; i < gates.length; i++) {
      const exact = i % 4 === 2 ? Math.tanh(sweep[i]) : 1 / (1 + Math.exp(-sweep[i]));
      if (!(Math.abs(gates[i] - exact) <= 1.2e-7) || !(Math.abs(gates[i] - exact) <= 5e-6 * Math.abs(exact) + 2 ** -140))
        expect.fail(`gate ${i % 4} of ${sweep[i]} is ${gates[i]}, expected ${exact}`);
      if (gates[i] > 1 || gates[i] < (i % 4 === 2 ? -1 : 0)) expect.fail(`gate ${i % 4} of ${sweep[i]} is ${gates[i]}`);
    }
  });
});

describe("matmul", () => {
  /** Layouts of A and B: n as they are, t transposed, s with a gap between elements. */
  const layouts = ["nn", "nt", "tn", "tt", "ns", "sn", "ss"] as const;

  function strides(layout: string, rows: number, columns: number): { row: number; column: number; length: number } {
    if (layout === "t") return { row: 1, column: rows + 1, length: columns * (rows + 1) };
    const gap = layout === "s" ? 3 : 1;
    return { row: columns * gap + 2, column: gap, length: rows * (columns * gap + 2) };
  }

  async function check(
    layout: string,
    M: number,
    N: number,
    K: number,
    { batch = 1, useBias = 0, accumulate = 0 } = {},
    kernel = matmulNaive,
  ): Promise<void> {
    const a = strides(layout[0], M, K);
    const b = strides(layout[1], K, N);
    const cRow = N + 5;
    const params: MatmulParams = {
      M,
      N,
      K,
      batch,
      aOffset: 7,
      aBatch: a.length + 1,
      aRow: a.row,
      aColumn: a.column,
      bOffset: 5,
      bBatch: b.length + 2,
      bRow: b.row,
      bColumn: b.column,
      cOffset: 3,
      cBatch: M * cRow + 4,
      cRow,
      useBias,
      accumulate,
    };
    // C starts as NaN where it must not be read.
    const c = numbers(3 + batch * (M * cRow + 4), 4);
    if (!accumulate) c.fill(NaN, 3, 3 + N);
    const arrays = { a: numbers(7 + batch * (a.length + 1), 1), b: numbers(5 + batch * (b.length + 2), 2), bias: numbers(N, 3), c };
    await expectTwin(kernel, arrays, params, { atol: 2e-6 * Math.sqrt(K) + 1e-6, rtol: 1e-5 });
  }

  const sizes = sampled([1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33], 5);
  it.each(sampled(layouts, 4))("agrees on every combination of awkward sizes, layout %s", async (layout) => {
    for (const M of sizes) for (const N of sizes) for (const K of [1, 3, 4, 7, 33]) await check(layout, M, N, K);
  });

  it.each(layouts)("agrees with bias, batch and accumulation, layout %s", async (layout) => {
    for (const M of [1, 3, 4, 9]) {
      for (const useBias of [0, 1])
        for (const accumulate of [0, 1]) for (const batch of [1, 3]) await check(layout, M, 37, 13, { useBias, accumulate, batch });
    }
  });

  it.each(sampled(layouts, 3))("agrees where it takes several passes, layout %s", async (layout) => {
    for (const [M, N, K] of [
      [67, 19, 521],
      [5, 263, 300],
      [131, 269, 259],
      [1, 1031, 257],
      [17, 1030, 257],
    ])
      await check(layout, M, N, K, { useBias: 1 });
  });

  it.each([0, 1])("adds up the columns of dY beside dYᵀ·x, accumulate %i", async (accumulate) => {
    for (const kernel of matmulBlocksWithSums) {
      const [M, N, K] = [37, 9, 21];
      const params = {
        M,
        N,
        K,
        batch: 1,
        aOffset: 3,
        aBatch: 0,
        aRow: 1,
        aColumn: M,
        bOffset: 0,
        bBatch: 0,
        bRow: N,
        bColumn: 1,
        cOffset: 0,
        cBatch: 0,
        cRow: N,
        useBias: 0,
        accumulate,
      };
      await expectTwin(
        kernel,
        { a: numbers(3 + M * K, 1), b: numbers(N * K, 2), bias: numbers(1, 3), c: numbers(M * N, 4), sums: numbers(M + 5, 5) },
        params,
      );
    }
  });

  it("reads no B that has no elements, at the end of the memory", async () => {
    const kernels = (await WasmKernels.create(false)) as WasmKernels;
    const { buffer } = kernels.heap.memory;
    const [c, end] = [kernels.heap.allocate(4 * 65), buffer.byteLength - 128];
    for (const M of [1, 5]) kernels.exports.matmul(c, end, 0, c, M, 65, 0, 1, 0, 0, 1, 0, 65, 1, 0, 0, 0);
    expect(new Float32Array(buffer, c, 65)).toEqual(new Float32Array(65));
  });

  it("stands in for every kernel of the contract", async () => {
    for (const kernel of [matmulNaive, matmulSmallM, ...matmulBlocks]) await check("nn", 5, 6, 7, {}, kernel);
  });
});

describe("functions of two numbers", () => {
  const special = [0, -0, 1, -1, 2.5, -3, 1e-40, 3e38, Infinity, -Infinity, NaN];
  const pairs = special.flatMap((a) => special.map((b) => [a, b] as const));
  const length = pairs.length;
  const operands = { a: Float32Array.from(pairs, ([a]) => a), b: Float32Array.from(pairs, ([, b]) => b), y: new Float32Array(length) };
  const flat = { size0: 1, size1: 1, size2: 1, size3: length, a0: 0, a1: 0, a2: 0, a3: 1, b0: 0, b1: 0, b2: 0, b3: 1, accumulate: 0 };

  it.each(binaryNames.map((name, kind) => [name, kind] as const))(
    "%s has the bits of its twin for every pair of special numbers",
    async (_, kind) => {
      const params = { ...flat, kind };
      const [actual, expected] = [await run(fast, binary, operands, params), await run(twins, binary, operands, params)];
      pairs.forEach(([a, b], i) => {
        if (!Object.is(actual.y[i], expected.y[i])) expect.fail(`of ${a} and ${b} it is ${actual.y[i]}, in the twin ${expected.y[i]}`);
      });
    },
  );

  it("read operands whose numbers lie apart", async () => {
    const params = { ...flat, size3: 3, a3: length >> 1, b3: 5, kind: binaryNames.indexOf("subtract") };
    const y = new Float32Array(5).fill(7);
    const [actual, expected] = [await run(fast, binary, { ...operands, y }, params), await run(twins, binary, { ...operands, y }, params)];
    expect([...actual.y]).toEqual([...expected.y]);
  });
});

/** No cell of the package has two gates. */
const twoGates: Cell = {
  ...rnnTanh,
  name: "two-gates",
  shader: "two-gates",
  gateNames: ["a", "b"],
  own: {
    wgsl: "",
    arithmetic: {
      forward(x, r) {
        const [a, b] = [Math.tanh(x[0] + r[0]), Math.tanh(x[1] + r[1])];
        return { gates: [a, b], h: a * b, c: 0 };
      },
      backward([a, b], _hPrevious, _h, _cPrevious, _c, dh) {
        const d = [dh * b * (1 - a * a), dh * a * (1 - b * b)];
        return { dGates: d, dRecurrent: d, dhPrevious: 0, dcPrevious: 0 };
      },
    },
  },
};

describe.each([...cells, ...foreignCells, twoGates])("one step of $name, $shader", (cell) => {
  const G = cell.gateNames.length;
  const memories = memoryNumbers(cell);
  const T = 3;
  const hBase = 11;

  /** Weights small enough that gates do not saturate, whatever H is. */
  function layer(segment: Segment, lengths: ArrayLike<number>): Arrays {
    const { lanes, B, H, steps } = segment;
    return {
      gates: numbers(laneStart(lanes, steps * B * H) * G, 1, 2),
      weights: numbers(laneStart(lanes, (H + 2) * H) * G, 2, 2 / Math.sqrt(H)),
      h: numbers(laneStart(lanes, hSize(segment)), 4),
      // Several states may be divided by.
      c: numbers(laneStart(lanes, (T + 1) * B * H * memories), 5, 2).map((value) => (memories > 1 ? 0.3 + Math.abs(value) : value)),
      lengths: Uint32Array.from(lengths),
      dy: numbers(laneStart(lanes, T * B * H), 6),
      carry: numbers(laneStart(lanes, B * H) * (1 + memories), 7),
      dRecurrent: numbers(laneStart(lanes, steps * B * H) * G, 8),
    };
  }
  const whole = { T, hBase, first: 0, steps: T };
  const forwards = { ...whole, lanes: 1, reverse: 0 };
  const bothWays = { T, hBase, first: 1, steps: 2, lanes: 2, reverse: 2 };

  const shapes = [
    [1, 1],
    [2, 3],
    [3, 4],
    [4, 5],
    [5, 8],
    [7, 9],
    [8, 31],
    [17, 33],
    [33, 16],
    [1, 67],
    // More units than any block holds; the twins take long for these, so that not each cell has them.
    ...(cell === cells[0] || cell.name === "two-gates" ? [[16, 257]] : []),
  ];

  it.each(shapes)("goes forward, B=%i H=%i", async (B, H) => {
    for (const lanes of [forwards, { ...forwards, reverse: 1 }, bothWays]) {
      const segment = { ...lanes, B, H };
      const { gates, weights, h, c, lengths } = layer(segment, new Array<number>(B).fill(T));
      await expectTwin(stepForward(cell), { gates, weights, h, c, lengths }, { ...segment, i: 1 });
    }
  });

  it.each(shapes)("goes backward, B=%i H=%i", async (B, H) => {
    for (const [lanes, i, tail] of [
      [forwards, 2, 0],
      [forwards, 1, 0],
      [forwards, 0, 1],
      [{ ...forwards, reverse: 1 }, 0, 0],
      [bothWays, 0, 0],
      [bothWays, 0, 1],
    ] as const) {
      const segment = { ...lanes, B, H };
      const arrays = layer(segment, new Array<number>(B).fill(T));
      // Gates are activated ones here, between -1 and 1.
      arrays.gates = numbers(arrays.gates.length, 1);
      await expectTwin(stepBackward(cell), arrays, { ...segment, i, tail });
    }
  });

  it("leaves rows that have ended as they were", async () => {
    const lengths = [3, 1, 0, 2, 2, 3, 1];
    for (const H of [1, 5, 8]) {
      const segment = { ...forwards, B: lengths.length, H };
      const arrays = layer(segment, lengths);
      const { gates, weights, h, c } = arrays;
      await expectTwin(stepForward(cell), { gates, weights, h, c, lengths: arrays.lengths }, { ...segment, i: 1 });
      await expectTwin(stepBackward(cell), { ...arrays, gates: numbers(gates.length, 1) }, { ...segment, i: 1, tail: 0 });
    }
  });
});
