// The example's WebSocket server on loopback, with 64 clients, killed and started again.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createBackend, forward, Linear, LSTM, saveModel, Sequential } from "webgpu-rnn";
import { WebSocket } from "ws";
import { StreamClient } from "../../examples/server/client.ts";
import { serve } from "../../examples/server/serve.ts";
import { bundleProgram, root } from "../../scripts/bundle.mjs";
import { randomUniforms } from "../../src/kernels/philox.ts";
import { sampled } from "../thorough.ts";

const folder = mkdtempSync(join(tmpdir(), "streams-"));
const backend = await createBackend("cpu");
afterAll(() => {
  backend.destroy();
  rmSync(folder, { recursive: true });
});
const model = new Sequential({ rnn: new LSTM(2, 24, { seed: 1 }), out: new Linear(24, 3, { seed: 2 }) });
const framesOf = (client: number, count: number): Float32Array[] => {
  const all = Float32Array.from(randomUniforms(client, 5, 2 * count));
  return Array.from({ length: count }, (_, i) => all.slice(2 * i, 2 * i + 2));
};
async function alone(frames: readonly Float32Array[]): Promise<Float32Array[]> {
  const input = { shape: [frames.length, 1, 2], data: frames.flatMap((frame) => Array.from(frame)) };
  const { output } = await forward(model, { input }, { backend });
  return frames.map((_, i) => Float32Array.from(output.data.slice(3 * i, 3 * i + 3)));
}

// It imports `ws`, so it must lie where that is found.
const program = join(root, "build", "programs", "tested-server.mjs");
const modelFile = join(folder, "model.safetensors");
beforeAll(async () => {
  await bundleProgram("examples/server/server.ts", program);
  writeFileSync(modelFile, await saveModel(model));
});

/** Starts the server as a process of its own. */
async function start(port: number, states: string): Promise<{ process: ChildProcess; url: string }> {
  const words = [program, "--port", String(port), "--model", modelFile, "--states", states];
  const process_ = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface(process_.stdout)) {
    const url = /ws:\/\/localhost:\d+/.exec(line)?.[0];
    if (url !== undefined) return { process: process_, url };
  }
  throw new Error("the server ended before it was there");
}

// In the thorough runs 100,032 frames.
it.each(sampled([30, 1563], 1))("64 clients of a server that is killed twice get what each gets alone (%d frames)", async (count) => {
  const states = join(folder, `states ${count}`);
  let server = await start(0, states);
  let done = 0;
  let ended = false;
  const clients = Array.from({ length: 64 }, (_, i) => new StreamClient(server.url, `client ${i}`, 3 + (i % 11)));
  const work = clients.map(async (client, i) => {
    const frames = framesOf(i, count);
    const results: Promise<Float32Array>[] = [];
    for (const frame of frames) {
      const call = client.step(frame).finally(() => done++);
      results.push(call);
      // Some wait for each result, some send ahead.
      if (i % 3 === 0 || results.length % (1 + (i % 7)) === 0) await call;
    }
    return { frames, results: await Promise.all(results) };
  });
  const all = Promise.all(work).finally(() => (ended = true));
  for (const share of [0.3, 0.7]) {
    while (!ended && done < share * 64 * count) await new Promise((resolve) => setTimeout(resolve, 1));
    expect(ended).toBe(false);
    server.process.kill("SIGKILL");
    await once(server.process, "exit");
    server = await start(Number(new URL(server.url).port), states);
  }
  for (const { frames, results } of await all) expect(results).toEqual(await alone(frames));
  for (const client of clients) client.close();
  server.process.kill();
  await once(server.process, "exit");
  expect(readdirSync(states).filter((name) => name.endsWith(".safetensors"))).toHaveLength(64);
});

it("a server refuses wrong frames and damaged states by closing the connection, and goes on for the others", async () => {
  const states = join(folder, "others");
  const server = await serve(model, { port: 0, folder: states, backend });
  const url = `ws://localhost:${server.port}`;
  const [good, ...wrong] = ["good", "short", "NaN", "text"].map((id) => new StreamClient(url, id, 2));
  const frames = framesOf(0, 9);
  const expected = await alone(frames);
  expect(await good.step(frames[0])).toEqual(expected[0]);
  await expect(wrong[0].step(Float32Array.of(1))).rejects.toThrow("a frame must have 8 bytes, got 4");
  await expect(wrong[1].step(Float32Array.of(1, NaN))).rejects.toThrow("batcher.step: a frame must be finite numbers, got NaN");
  await expect(wrong[1].step(Float32Array.of(1, 2))).rejects.toThrow("the client is closed");
  const large = new WebSocket(`${url}?id=large`);
  await once(large, "open");
  large.send(new Uint8Array(1000));
  expect((await once(large, "close"))[0]).toBe(1009);
  expect(await Promise.all(frames.slice(1, 5).map((frame) => good.step(frame)))).toEqual(expected.slice(1, 5));

  // A second connection takes the stream over, and goes on from what was saved.
  const other = new WebSocket(`${url}?id=good`);
  const [hello] = (await once(other, "message")) as [Buffer];
  expect(JSON.parse(hello.toString())).toEqual({ frames: 4 });
  other.terminate();
  expect(await Promise.all(frames.slice(5, 7).map((frame) => good.step(frame)))).toEqual(expected.slice(5, 7));

  good.close();
  for (const name of readdirSync(states)) writeFileSync(join(states, name), readFileSync(join(states, name)).subarray(0, 50));
  const again = new StreamClient(url, "good");
  await expect(again.step(frames[0])).rejects.toThrow(/afetensors/);
  for (const client of [...wrong, again]) client.close();
  await server.close();
});

it("a client that was idle goes on from its saved state", async () => {
  const server = await serve(model, { port: 0, folder: join(folder, "idle"), backend, idleMs: 40 });
  const client = new StreamClient(`ws://localhost:${server.port}`, "slow", 2);
  const frames = framesOf(1, 7);
  const results: Float32Array[] = [];
  for (const frame of frames) {
    results.push(await client.step(frame));
    await new Promise((resolve) => setTimeout(resolve, results.length % 3 === 0 ? 100 : 0));
  }
  expect(results).toEqual(await alone(frames));
  client.close();
  await server.close();
});
