// GFLOP/s of the CPU backend on one thread, on the products that recurrent layers are made of and on the layers' time
// loops: `node scripts/run-ts.mjs bench/cpu-matmul.ts [part of a row's text]`. Each row is compared with its twin
// before it is timed.
import { CpuBackend } from "../src/backend/cpu/cpu-backend.ts";
import type { Cell } from "../src/recurrent/cells/cell.ts";
import { gru } from "../src/recurrent/cells/gru.ts";
import { lstm } from "../src/recurrent/cells/lstm.ts";
import { rnnTanh } from "../src/recurrent/cells/rnn.ts";
import type { Kernel } from "../src/kernels/kernel.ts";
import { matmulNaive } from "../src/kernels/matmul.ts";
import { stepForward } from "../src/recurrent/kernels/step.ts";
import { stepBackward } from "../src/recurrent/kernels/step.backward.ts";
import { Recording, type Buffer } from "../src/recording/recording.ts";

type Params = Readonly<Record<string, number>>;

/** Dispatches of one kernel over the same buffers. */
interface Row {
  readonly what: string;
  readonly kernel: Kernel;
  readonly sizes: Readonly<Record<string, number>>;
  readonly dispatches: readonly Params[];
  /** Of all dispatches. */
  readonly flops: number;
}

/** Operands as they lie in a training step: x·Wᵀ, dY·W, dYᵀ·x, and h·U with U repacked. */
function product(what: string, layout: "x·Wᵀ" | "dY·W" | "dYᵀ·x", M: number, N: number, K: number): Row {
  const strides = {
    "x·Wᵀ": { aRow: K, aColumn: 1, bRow: 1, bColumn: K },
    "dY·W": { aRow: K, aColumn: 1, bRow: N, bColumn: 1 },
    "dYᵀ·x": { aRow: 1, aColumn: M, bRow: N, bColumn: 1 },
  }[layout];
  return {
    what: `${what.padEnd(22)} ${layout.padEnd(6)} M=${M} N=${N} K=${K}`,
    kernel: matmulNaive,
    flops: 2 * M * N * K,
    sizes: { a: M * K, b: K * N, bias: N, c: M * N },
    dispatches: [
      {
        M,
        N,
        K,
        batch: 1,
        aOffset: 0,
        aBatch: 0,
        bOffset: 0,
        bBatch: 0,
        cOffset: 0,
        cBatch: 0,
        cRow: N,
        useBias: 0,
        accumulate: 0,
        ...strides,
      },
    ],
  };
}

/** Both time loops of a layer. */
function loops(cell: Cell, T: number, B: number, H: number): Row[] {
  const G = cell.gateNames.length;
  const states = (T + 1) * B * H;
  const sizes = {
    gates: T * B * H * G,
    weights: (H + 1) * H * G,
    h: states,
    c: states,
    lengths: B,
    dy: T * B * H,
    carry: 2 * B * H,
    dRecurrent: T * B * H * G,
  };
  const forwards = Array.from({ length: T }, (_, i) => ({ lanes: 1, T, B, H, reverse: 0, hBase: 0, first: 0, steps: T, i }));
  const backwards = forwards.map((params) => ({ ...params, tail: 0 })).reverse();
  const name = `${cell.name} T=${T} B=${B} H=${H}`;
  const flops = 2 * T * B * H * H * G;
  return [
    { what: `forward loop  ${name}`, kernel: stepForward(cell), sizes, dispatches: forwards, flops },
    { what: `backward loop ${name}`, kernel: stepBackward(cell), sizes, dispatches: backwards, flops: (flops * (T - 1)) / T },
  ];
}

const rows: Row[] = [
  ...[64, 128, 256, 512].flatMap((H) => [1, 4, 16, 32, 64].map((B) => product("one step", "dY·W", B, 4 * H, H))),
  ...[1, 4, 8, 32].map((B) => product("one step, U as it is", "x·Wᵀ", B, 512, 128)),
  product("input to gates", "x·Wᵀ", 2048, 512, 64),
  product("gradient of the input", "dY·W", 2048, 64, 512),
  product("gradient of W", "dYᵀ·x", 512, 64, 2048),
  product("gradient of U", "dYᵀ·x", 512, 128, 2048),
  product("logits", "x·Wᵀ", 2048, 85, 128),
  ...[lstm, gru, rnnTanh].flatMap((cell) =>
    [
      [100, 1, 128],
      [64, 32, 128],
      [32, 32, 256],
      [32, 16, 512],
    ].flatMap(([T, B, H]) => loops(cell, T, B, H)),
  ),
];

async function prepare(backend: CpuBackend, { kernel, sizes, dispatches }: Row) {
  const recording = new Recording();
  const names = Object.keys(kernel.bindings);
  const views = Object.fromEntries(
    names.map((name) => [name, recording.buffer(name, [sizes[name]], "external", kernel.bindings[name].type)]),
  );
  for (const params of dispatches) recording.dispatch(kernel, views, params);
  const memory = new Map<Buffer, ReturnType<CpuBackend["createBuffer"]>>();
  for (const name of names) {
    memory.set(views[name].buffer, backend.createBuffer(name, kernel.bindings[name].type, sizes[name]));
  }
  /** Kernels change their buffers in place: without this, a second run would see other numbers, denormal ones at last. */
  const reset = (): void => {
    for (const { label, array } of memory.values())
      for (let i = 0; i < array.length; i++) array[i] = label === "lengths" ? dispatches.length : 0.1 * Math.sin(1.3 * i + label.length);
  };
  reset();
  const program = await backend.prepare(recording, memory);
  const free = (): void => {
    program.free();
    for (const buffer of memory.values()) backend.free(buffer);
  };
  return { program, memory, reset, free };
}

type Prepared = Awaited<ReturnType<typeof prepare>>;

async function check(row: Row, fast: Prepared, twins: CpuBackend): Promise<void> {
  const twin = await prepare(twins, row);
  await fast.program.run();
  await twin.program.run();
  const expected = [...twin.memory.values()];
  for (const [index, { label, array }] of [...fast.memory.values()].entries()) {
    const other = expected[index].array;
    const bad = array.findIndex((value, i) => !(Math.abs(value - other[i]) <= 1e-4 + 1e-4 * Math.abs(other[i])));
    if (bad >= 0) throw new Error(`${row.what}: ${label}[${bad}] is ${array[bad]}, the twin has ${other[bad]}`);
  }
}

/** The best of many short rounds: other programs on the machine can only make one slower. */
async function gflops({ flops, dispatches }: Row, { program, reset }: Prepared): Promise<number> {
  const repeat = dispatches.length > 1 ? 1 : Math.max(1, Math.ceil(4e7 / flops));
  let best = Infinity;
  for (let round = 0; round < 40; round++) {
    reset();
    const started = performance.now();
    await program.run({}, { repeat });
    best = Math.min(best, performance.now() - started);
  }
  return (flops * repeat) / best / 1e6;
}

const [fast, twins] = await Promise.all([CpuBackend.create(), CpuBackend.create({ wasm: false })]);
const only = process.argv[2] ?? "";
console.log(`${fast.adapter}; GFLOP/s, best of 40 short rounds`);
for (const row of rows.filter(({ what }) => what.includes(only))) {
  const prepared = await prepare(fast, row);
  await check(row, prepared, twins);
  console.log(`${row.what.padEnd(60)} ${(await gflops(row, prepared)).toFixed(1).padStart(6)}`);
  prepared.free();
}
