// docs/pytorch/continue.py goes on with a training under two processes and writes it back. Needs a Python with PyTorch.
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import {
  adam,
  adamw,
  createBackend,
  crossEntropy,
  decodeSafetensors,
  Embedding,
  encodeSafetensors,
  Linear,
  LSTM,
  nadam,
  rmsprop,
  Sequential,
  sgd,
  Trainer,
  type Optimizer,
} from "webgpu-rnn";
import { root } from "../../scripts/bundle.mjs";
import { sampled } from "../thorough.ts";
import { python } from "./python.ts";

const [batches, steps, rows, vocabulary] = [3, 6, 4, 7];
const ids = (seed: number): Int32Array =>
  Int32Array.from({ length: batches * steps * rows }, (_, i) => (i * i * seed + (i >> 2)) % vocabulary);
const [inputs, targets] = [ids(3), ids(5)];
const part = (data: Int32Array, i: number) => ({
  shape: [steps, rows],
  data: data.slice((i % batches) * steps * rows, ((i % batches) + 1) * steps * rows),
});

const model = (): Sequential =>
  new Sequential(
    { embedding: new Embedding(vocabulary, 5), rnn: new LSTM(5, 8, { numLayers: 2 }), out: new Linear(8, vocabulary) },
    { seed: 3 },
  );
const trainerOf = async (optimizer: Optimizer): Promise<Trainer> =>
  new Trainer(model(), {
    backend: await createBackend("cpu", { wasm: false }),
    data: { batches, batch: (i) => ({ input: part(inputs, i), targets: part(targets, i) }) },
    loss: crossEntropy(),
    optimizer,
    carryState: false,
    seed: 1,
  });

async function losses(trainer: Trainer, count: number): Promise<number[]> {
  const found: number[] = [];
  for await (const { loss } of trainer.run({ steps: count })) found.push(loss);
  return found;
}

/** A port that is free now. */
const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });

const execute = promisify(execFile);

/**
 * Runs the program in two processes, with the variables that torchrun gives them (that of PyTorch 1.13 fails by itself under
 * Python 3.11). Returns the losses that the first prints.
 */
async function goOn(folder: string, options: object): Promise<number[]> {
  const files = ["before", "batches", "after"].map((name) => join(folder, `${name}.safetensors`));
  const program = [join(root, "docs/pytorch/continue.py"), ...files, "--steps", "20", "--optimizer", JSON.stringify(options)];
  const shared = {
    WORLD_SIZE: "2",
    MASTER_ADDR: "127.0.0.1",
    MASTER_PORT: String(await freePort()),
    OMP_NUM_THREADS: "1",
    GLOO_SOCKET_IFNAME: "lo",
  };
  const runs = ["0", "1"].map((rank) => execute(python!, program, { env: { ...process.env, ...shared, RANK: rank, LOCAL_RANK: rank } }));
  const [{ stdout }] = await Promise.all(runs);
  const lines = stdout.trim().split("\n");
  return lines.map((line) => Number(line.split(" ")[1]));
}

const optimizers = {
  adam: [() => adam({ learningRate: 0.01 }), { lr: 0.01 }],
  adamw: [() => adamw({ learningRate: 0.01, weightDecay: 0.1 }), { lr: 0.01, weight_decay: 0.1 }],
  nadam: [() => nadam({ learningRate: 0.01 }), { lr: 0.01 }],
  rmsprop: [() => rmsprop({ learningRate: 0.003, momentum: 0.5, centered: true }), { lr: 0.003, momentum: 0.5, centered: true }],
  sgd: [() => sgd({ learningRate: 0.2, momentum: 0.8 }), { lr: 0.2, momentum: 0.8 }],
} as const;

const names = Object.keys(optimizers) as (keyof typeof optimizers)[];

describe.skipIf(python === undefined)("a training that goes on in PyTorch and comes back", () => {
  it.each(sampled(names, 1))("has the losses of one that stays here: %s", async (name) => {
    const [optimizer, options] = optimizers[name];
    const folder = mkdtempSync(join(tmpdir(), "continue-"));
    try {
      const stays = await trainerOf(optimizer());
      await losses(stays, 10);
      const checkpoint = await stays.checkpoint({ note: "kept" });
      writeFileSync(join(folder, "before.safetensors"), checkpoint);
      const shape = [batches, steps, rows];
      writeFileSync(
        join(folder, "batches.safetensors"),
        encodeSafetensors({ input: { shape, data: inputs }, targets: { shape, data: targets } }),
      );
      const expected = await losses(stays, 20);
      const there = await goOn(folder, options);
      expect(there.length).toBe(20);
      there.forEach((loss, i) => expect(Math.abs(loss - expected[i]), `loss ${i}: ${loss}, here ${expected[i]}`).toBeLessThan(1e-5));
      const after = new Uint8Array(readFileSync(join(folder, "after.safetensors")));
      expect(decodeSafetensors(after).metadata).toEqual({ ...decodeSafetensors(checkpoint).metadata, step: "30" });
      const back = await trainerOf(optimizer());
      await back.restore(after);
      const [one, other] = [await losses(stays, 20), await losses(back, 20)];
      other.forEach((loss, i) => expect(Math.abs(loss - one[i]), `loss ${i} after coming back`).toBeLessThan(1e-5));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
