// A WebSocket server that runs one model for many clients, each with a stream of its own.
import { createHash } from "node:crypto";
import { on, once } from "node:events";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createBatcher, type BatcherOptions, type Module } from "webgpu-rnn";
import { WebSocketServer, type RawData, type WebSocket } from "ws";

export interface ServerOptions extends Omit<BatcherOptions, "onIdle"> {
  /** 0 takes a free one. */
  port: number;
  /** Where the states are saved. */
  folder: string;
}

/** Most frames that are taken from a socket before their turn; the rest waits at the client. */
const mostAhead = 16;

/** Starts the server. @returns its port, and a function that ends it */
export async function serve(model: Module, { port, folder, ...options }: ServerOptions) {
  const sockets = new Map<string, WebSocket>();
  const batcher = await createBatcher(model, { ...options, onIdle: leave });
  const { inputSize } = batcher;
  await mkdir(folder, { recursive: true });
  const fileOf = (id: string): string => join(folder, `${createHash("sha256").update(id).digest("hex")}.safetensors`);

  /** A client that goes on after its idle time connects again, and so gets its saved state. */
  function leave(id: string): void {
    sockets.get(id)?.close(1001, "idle");
    sockets.delete(id);
  }

  function frameOf(data: Buffer): Float32Array {
    if (data.length !== 4 * inputSize) throw new Error(`a frame must have ${4 * inputSize} bytes, got ${data.length}`);
    return new Float32Array(Uint8Array.from(data).buffer);
  }

  /** A file is either the old one or the new one, whenever the server is killed. */
  async function save(id: string): Promise<number> {
    const frames = batcher.frames(id);
    const state = batcher.state(id);
    if (state) {
      await writeFile(`${fileOf(id)}.new`, state);
      await rename(`${fileOf(id)}.new`, fileOf(id));
    }
    return frames;
  }

  async function answer(socket: WebSocket, id: string): Promise<void> {
    // From here on, messages are kept until their turn. The socket is paused when there are too many.
    const messages = on(socket, "message", { close: ["close"], highWaterMark: mostAhead, lowWaterMark: 1 });
    sockets.get(id)?.terminate();
    sockets.set(id, socket);
    // What an earlier connection computed after the last save is computed again: the client may not have got it.
    batcher.close(id);
    const saved = await readFile(fileOf(id)).catch(() => undefined);
    if (sockets.get(id) !== socket) return;
    const frames = saved ? batcher.restore(id, new Uint8Array(saved)) : 0;
    socket.send(JSON.stringify({ frames }));
    for await (const [data, isBinary] of messages as AsyncIterable<[RawData, boolean]>) {
      if (sockets.get(id) !== socket) return;
      if (isBinary) socket.send(await batcher.step(id, frameOf(data as Buffer)));
      else socket.send(JSON.stringify({ saved: await save(id) }));
    }
  }

  const server = new WebSocketServer({ port, maxPayload: 4 * inputSize + 16 });
  server.on("connection", (socket, request) => {
    const id = new URL(request.url ?? "", "ws://localhost").searchParams.get("id") ?? "";
    // The socket closes after an error by itself.
    socket.on("error", () => undefined);
    answer(socket, id)
      .catch((error: unknown) => socket.close(1008, String(error).slice(0, 100)))
      .finally(() => {
        if (sockets.get(id) === socket) sockets.delete(id);
      });
  });
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async close(): Promise<void> {
      for (const socket of server.clients) socket.terminate();
      await new Promise((resolve) => server.close(resolve));
      batcher.dispose();
    },
  };
}
