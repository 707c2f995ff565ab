// GFLOP/s of the CPU backend on one thread, on the products that recurrent layers are made of:
// `node scripts/run-ts.mjs bench/cpu-matmul.ts`. Each product is compared with its twin before it is timed.
import { CpuBackend } from "../src/backend/cpu/cpu-backend.ts";
import { gru } from "../src/kernels/cells/gru.ts";
import { lstm } from "../src/kernels/cells/lstm.ts";
import { rnnTanh } from "../src/kernels/cells/rnn.ts";
import type { Kernel } from "../src/kernels/kernel.ts";
import { matmulTiled } from "../src/kernels/matmul.ts";
import { stepBackward, stepForward } from "../src/kernels/recurrent-step.ts";
import { Recording, type Buffer } from "../src/recording/recording.ts";

type Params = Readonly<Record<string, number>>;
interface Row {
  readonly what: string;
  readonly kernel: Kernel;
  readonly sizes: Readonly<Record<string, number>>;
  readonly params: Params;
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
    what: `${what.padEnd(22)} ${layout.padEnd(6)} M=${M} N=${N} K=${K}`, kernel: matmulTiled as unknown as Kernel, flops: 2 * M * N * K,
    sizes: { a: M * K, b: K * N, bias: N, c: M * N },
    params: { M, N, K, batch: 1, aOffset: 0, aBatch: 0, bOffset: 0, bBatch: 0, cOffset: 0, cBatch: 0, cRow: N, useBias: 0, accumulate: 0, ...strides },
  };
}

function steps(cell: typeof lstm, B: number, H: number): Row[] {
  const G = cell.gateNames.length;
  const slots = { B, H, t: 0, previousSlot: 0, currentSlot: 1, hBase: 0 };
  const sizes = { gates: 2 * B * H * G, weights: H * H * G, bias: H * G, h: 2 * B * H, c: 2 * B * H, lengths: B, dy: 2 * B * H, carry: 2 * B * H, dRecurrent: 2 * B * H * G };
  const name = `${cell.name} B=${B} H=${H}`;
  const flops = 2 * B * H * H * G;
  return [
    { what: `step forward  ${name}`, kernel: stepForward(cell) as unknown as Kernel, sizes, params: slots, flops },
    { what: `step backward ${name}`, kernel: stepBackward(cell) as unknown as Kernel, sizes, params: { ...slots, nextT: 1, hasNext: 1, tail: 0 }, flops },
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
  ...[lstm, gru, rnnTanh].flatMap((cell) => [[1, 128], [32, 128], [32, 256], [16, 512]].flatMap(([B, H]) => steps(cell, B, H))),
];

async function prepare(backend: CpuBackend, { kernel, sizes, params }: Row) {
  const recording = new Recording();
  const names = Object.keys(kernel.bindings);
  const views = Object.fromEntries(names.map((name) => [name, recording.buffer(name, [sizes[name]], "external", kernel.bindings[name].type)]));
  recording.dispatch(kernel, views, params);
  const memory = new Map<Buffer, ReturnType<CpuBackend["createBuffer"]>>();
  for (const name of names) {
    const data = Float32Array.from({ length: sizes[name] }, (_, i) => (name === "lengths" ? 2 : 0.1 * Math.sin(1.3 * i + name.length)));
    memory.set(views[name].buffer, backend.createBuffer(name, kernel.bindings[name].type, sizes[name], data));
  }
  const program = await backend.prepare(recording, memory);
  const free = (): void => {
    program.free();
    for (const buffer of memory.values()) backend.free(buffer);
  };
  return { program, memory, free };
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

/** The best of several rounds: other programs on the machine can only make it slower. */
async function gflops({ flops }: Row, { program }: Prepared): Promise<number> {
  const repeat = Math.max(1, Math.ceil(2e8 / flops));
  let best = Infinity;
  for (let round = 0; round < 7; round++) {
    const started = performance.now();
    await program.run({}, repeat);
    best = Math.min(best, performance.now() - started);
  }
  return (flops * repeat) / best / 1e6;
}

const [fast, twins] = await Promise.all([CpuBackend.create(), CpuBackend.create({ wasm: false })]);
const only = process.argv[2] ?? "";
console.log(`${fast.adapter}; GFLOP/s, best of 7`);
for (const row of rows.filter(({ what }) => what.includes(only))) {
  const prepared = await prepare(fast, row);
  await check(row, prepared, twins);
  console.log(`${row.what.padEnd(60)} ${(await gflops(row, prepared)).toFixed(1).padStart(6)}`);
  prepared.free();
}
