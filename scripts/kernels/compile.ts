// Compiles every kernel of some training steps, one after the other, and runs nothing. The driver's output for each
// goes to stderr between two marks. stdout gets a line of JSON for each kernel: its name, its threads, and where it is
// used.
// Arguments: { cells, shapes, strategies, pattern, replaced, threads } as JSON.
import { readFileSync, writeSync } from "node:fs";
import { adam, GRU, LSTM, RNN, RnnError, squaredError, Trainer, type Batch, type Module, type StrategyName } from "webgpu-rnn";
import { Piece } from "../../src/backend/ledger.ts";
import { WebGpuBackend, WebGpuBuffer } from "../../src/backend/webgpu/webgpu-backend.ts";
import type { Kernel } from "../../src/kernels/kernel.ts";
import { rowsSource } from "../../src/recurrent/kernels/step.ts";

interface Arguments {
  readonly cells: readonly string[];
  /** T, B, I, H. */
  readonly shapes: readonly (readonly [number, number, number, number])[];
  readonly strategies: readonly StrategyName[];
  /** Of kernels' names. */
  readonly pattern: string;
  /** Files of WGSL to compile in the place of the package's, by path below shaders/. */
  readonly replaced: Readonly<Record<string, string>>;
  /** As if the adapter granted no more threads of a workgroup. */
  readonly threads: number;
}

/** How a kernel is dispatched in one layer. */
interface Use {
  readonly case: string;
  readonly cell: string;
  readonly shape: readonly number[];
  readonly strategy: string;
  readonly workgroups: readonly number[];
  /** Dispatches a training step. */
  count: number;
}

const { cells, shapes, strategies, pattern, replaced, threads } = JSON.parse(process.argv[2]) as Arguments;
const layers: Record<string, (I: number, H: number) => Module> = {
  lstm: (I, H) => new LSTM(I, H, { seed: 1 }),
  gru: (I, H) => new GRU(I, H, { seed: 1 }),
  "gru-before": (I, H) => new GRU(I, H, { seed: 1, reset: "before" }),
  rnn: (I, H) => new RNN(I, H, { seed: 1 }),
  "lstm-layer-norm": (I, H) => new LSTM(I, H, { seed: 1, normalization: "layer" }),
};

const backend = await WebGpuBackend.create({
  shaders: Object.fromEntries(Object.entries(replaced).map(([path, file]) => [path, readFileSync(file, "utf8")])),
});
Object.defineProperty(backend, "mostThreads", { value: Math.min(threads, backend.mostThreads) });
writeSync(1, `${JSON.stringify({ adapter: backend.adapter })}\n`);
// The driver without a device has no memory that Dawn accepts; nothing is run, so none is needed.
backend.createBuffer = (label, type, length) => new WebGpuBuffer(label, type, length, {} as GPUBuffer, new Piece(0, () => undefined));
backend.write = backend.free = () => undefined;
backend.read = (buffer, offset, length) => Promise.resolve(new Float32Array(length ?? buffer.length - (offset ?? 0)));

/** Ends a training step when it has been recorded. */
class Recorded extends Error {}
const kernels = new Map<string, { kernel: Kernel; uses: Use[] }>();
let now: Omit<Use, "workgroups" | "count">;
backend.prepare = ({ commands }) => {
  for (const command of commands) {
    if (command.kind !== "dispatch") continue;
    const { kernel, params } = command;
    const known = kernels.get(kernel.name) ?? { kernel, uses: [] };
    kernels.set(kernel.name, known);
    const workgroups = kernel.workgroups(params);
    const use = known.uses.find((one) => one.case === now.case && one.workgroups.join() === workgroups.join());
    if (use) use.count++;
    else known.uses.push({ ...now, workgroups, count: 1 });
  }
  throw new Recorded();
};

/** Threads of a workgroup, as the shader and the pipeline's constants say. */
async function threadsOf(kernel: Kernel): Promise<number> {
  const size = /@workgroup_size\(([^)]*)\)/.exec(await backend.pipelines.source(kernel))![1];
  return size.split(",").reduce((product, word) => product * (kernel.constants?.[word.trim()] ?? Number.parseInt(word, 10)), 1);
}

/** Threads that share each sum of a recurrent kernel. */
const sharesOf = ({ constants }: Kernel): number => constants?.shares ?? 1;
/** Units whose weights a thread of it keeps. */
const heldBy = ({ constants }: Kernel): number => 8 * (constants?.heldEights ?? 0);
/** Rows of the batch that a thread of a recurrent kernel computes at once. */
const rowsOf = ({ name, constants, sources }: Kernel): number =>
  constants?.rows ??
  (name.startsWith("regularized") ? 1 : Number(Object.entries(rowsSource).find(([, one]) => sources.includes(one))?.[0] ?? 4));

for (const cell of cells) {
  for (const [T, B, I, H] of shapes) {
    for (const strategy of strategies) {
      now = { case: `${cell} ${T}x${B}x${I}x${H} ${strategy}`, cell, shape: [T, B, I, H], strategy };
      const batch: Batch = {
        input: { shape: [T, B, I], data: new Float32Array(T * B * I) },
        targets: { shape: [T, B, H], data: new Float32Array(T * B * H) },
        startsSequence: true,
      };
      try {
        const trainer = new Trainer(layers[cell.replace(/-half$/, "")](I, H), {
          backend,
          data: { batches: 1, batch: () => batch },
          loss: squaredError(),
          optimizer: adam({ learningRate: 0.001 }),
          clipNorm: 5,
          carryState: false,
          strategy,
          recovery: false,
          ...(cell.endsWith("-half") ? { storage: "float16" } : {}),
        });
        for await (const _ of trainer.run({ steps: 1 }));
      } catch (error) {
        // A strategy that cannot hold a layer says so; the rest of the table is wanted all the same. Anything else is a failure.
        if (error instanceof RnnError && error.kind === "limit")
          writeSync(1, `${JSON.stringify({ refused: now.case, why: error.message })}\n`);
        else if (!(error instanceof Recorded)) throw error;
      }
    }
  }
}
for (const [name, { kernel, uses }] of [...kernels].sort(([one], [other]) => one.localeCompare(other))) {
  if (!new RegExp(pattern).test(name)) continue;
  writeSync(2, `@@ ${name}\n`);
  await backend.pipelines.get(kernel);
  writeSync(2, `@@end ${name}\n`);
  writeSync(
    1,
    `${JSON.stringify({ name, threads: await threadsOf(kernel), rows: rowsOf(kernel), shares: sharesOf(kernel), held: heldBy(kernel), uses })}\n`,
  );
}
process.exit(0);
