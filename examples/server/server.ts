// `node scripts/run-ts.mjs examples/server/server.ts [--port N] [--model FILE] [--states FOLDER]`: serves a model that
// `saveModel` has written, or without one, a small LSTM that has learnt nothing.
import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { Linear, loadModel, LSTM, Sequential } from "webgpu-rnn";
import { serve } from "./serve.ts";

const { port, model, states } = parseArgs({
  options: { port: { type: "string", default: "8080" }, model: { type: "string" }, states: { type: "string", default: "build/states" } },
}).values;
const served =
  model === undefined
    ? new Sequential({ rnn: new LSTM(1, 32, { seed: 1 }), out: new Linear(32, 1, { seed: 2 }) })
    : await loadModel(new Uint8Array(await readFile(model)));
const server = await serve(served, { port: Number(port), folder: states });
console.log(`listening on ws://localhost:${server.port}`);
