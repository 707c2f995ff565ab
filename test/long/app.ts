/** One small app: it trains a model, runs it, and says what came out. The same text runs everywhere. */

const core = "adam, createBackend, crossEntropy, Embedding, forward, GRU, Linear, LSTM, Sequential, TextData, Trainer";
const formats = "decodeSafetensors";
export const names = `${core}, ${formats}`;

/** The result of `run`. */
export interface Result {
  readonly adapter: string;
  readonly reason: string;
  readonly losses: number[];
  readonly output: number[];
  readonly title: string;
  /** Of a class: apps' builds rename classes. */
  readonly name: string;
  readonly message: string;
}

/** The text of `run`, to put below an import of `names`. */
export const body = `
async function run(kind = "auto") {
  const backend = await createBackend(kind);
  const data = TextData.from("the rain in spain stays mainly in the plain; ".repeat(8), { batch: 4, steps: 8 });
  const size = data.vocabulary.size;
  const model = new Sequential({ embedding: new Embedding(size, 4), rnn: new LSTM(4, 12), linear: new Linear(12, size) }, { seed: 1 });
  const trainer = new Trainer(model, { backend, data, loss: crossEntropy(), optimizer: adam({ learningRate: 0.05 }) });
  const losses = [];
  for await (const { loss } of trainer.run({ steps: 6 })) losses.push(loss);
  const { title } = decodeSafetensors(await trainer.checkpoint({ title: "pløt 😀" })).metadata;
  const { output } = await forward(new GRU(2, 3, { seed: 2 }), { shape: [3, 1, 2], data: Float32Array.of(1, -2, 3, -4, 5, -6) }, { backend });
  let message = "";
  try {
    new LSTM(3, 0);
  } catch (error) {
    message = error.name + ": " + error.message;
  }
  return { adapter: backend.adapter, reason: backend.reason, losses, output: Array.from(output.data), title, name: model.constructor.name, message };
}
`;

/** With the entry that has everything, or with the entry for each. */
export const esm = (from: "webgpu-rnn" | "webgpu-rnn/static"): string =>
  (from === "webgpu-rnn"
    ? `import { ${core} } from "webgpu-rnn";\nimport { ${formats} } from "webgpu-rnn/formats";\n`
    : `import { ${names} } from "${from}";\n`) + body;
export const cjs = `const { ${core} } = require("webgpu-rnn");\nconst { ${formats} } = require("webgpu-rnn/formats");\n${body}`;

const print = "run().then((result) => console.log(JSON.stringify(result)));\n";

/** Leaves in the global `finished` what a promise comes to. */
const finish =
  "result.then((value) => (globalThis.finished = value), (error) => (globalThis.finished = { message: String(error.stack) }));\n";

/** Where a page's address says which backend to take. */
const kindOfPage = 'new URLSearchParams(location.search).get("kind") ?? "auto"';

const page = (script: string): string => `<!doctype html><meta charset="utf-8"><title>app</title><link rel="icon" href="data:,">${script}`;

/** The scripts that each app is built from, and the page beside them. */
const app = (name: string, html: string, ...scripts: (keyof typeof files)[]): Readonly<Record<string, string>> => ({
  [`apps/${name}/index.html`]: page(html),
  ...Object.fromEntries(scripts.map((script) => [`apps/${name}/${script}`, files[script]])),
});

const startWorker = (file: string): string => `const result = new Promise((resolve, reject) => {
  const worker = new Worker(new URL("./${file}", import.meta.url), { type: "module" });
  worker.postMessage(${kindOfPage});
  worker.onmessage = ({ data }) => resolve(data);
  worker.onerror = (event) => reject(new Error(event.message));
});\n${finish}`;

/** The app for each place. */
export const files = {
  "main.js": `${esm("webgpu-rnn")}const result = run(${kindOfPage});\n${finish}`,
  "entries.js": `import { encodeSafetensors } from "webgpu-rnn/formats";\nimport { jacobian } from "webgpu-rnn/inspect";\nimport { Seq2Seq } from "webgpu-rnn/language";\nimport { matmul } from "webgpu-rnn/ops";\n${esm("webgpu-rnn")}const result = run(${kindOfPage}).then((value) => ([encodeSafetensors, jacobian, Seq2Seq, matmul].every((one) => typeof one === "function") ? value : { ...value, title: "an entry is empty" }));\n${finish}`,
  "worker.js": `${esm("webgpu-rnn")}onmessage = ({ data: kind }) => run(kind).then(postMessage);\n`,
  "static-worker.js": `${esm("webgpu-rnn/static")}onmessage = ({ data: kind }) => run(kind).then(postMessage);\n`,
  "with-worker.js": startWorker("worker.js"),
  "with-static-worker.js": startWorker("static-worker.js"),
  "service.js": `${esm("webgpu-rnn/static")}
addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("fetch", (event) => {
  const { pathname, searchParams } = new URL(event.request.url);
  if (pathname === "/result") event.respondWith(run(searchParams.get("kind")).then((result) => Response.json(result), (error) => new Response(error.stack, { status: 500 })));
});\n`,
  "worklet.js": `${esm("webgpu-rnn/static")}
registerProcessor("app", class extends AudioWorkletProcessor {
  constructor() {
    super();
    run().then((result) => this.port.postMessage(result), (error) => this.port.postMessage({ message: String(error.stack) }));
  }
  process() {
    return true;
  }
});\n`,
  "app.mjs": `${esm("webgpu-rnn")}${print}`,
  "app.cjs": `${cjs}${print}`,
  "threads.mjs": `${esm("webgpu-rnn").replace("createBackend(kind)", 'createBackend("cpu", { threads: 2 })')}${print}`,
  "threads.cjs": `${cjs.replace("createBackend(kind)", 'createBackend("cpu", { threads: 2 })')}${print}`,
  "app.test.js": `${cjs}const { Seq2Seq } = require("webgpu-rnn/language"), { matmul } = require("webgpu-rnn/ops");\ntest("runs", async () => {
  require("node:fs").writeFileSync(process.env.RESULT, JSON.stringify(await run()));
  expect([Seq2Seq.name, typeof matmul]).toEqual(["Seq2Seq", "function"]);
});\n`,
} as const;

/** Projects for bundlers. */
export const apps = {
  ...app("main", '<script type="module" src="./main.js"></script>', "main.js"),
  ...app("entries", '<script type="module" src="./entries.js"></script>', "entries.js"),
  ...app("worker", '<script type="module" src="./with-worker.js"></script>', "with-worker.js", "worker.js"),
  ...app("static-worker", '<script type="module" src="./with-static-worker.js"></script>', "with-static-worker.js", "static-worker.js"),
  ...app(
    "service",
    `<script type="module">
    const { serviceWorker } = navigator;
    const controlled = new Promise((done) => (serviceWorker.oncontrollerchange = done));
    const result = serviceWorker.register("main.js").then(() => controlled).then(() => fetch("/result?kind=" + (${kindOfPage})))
      .then(async (response) => response.ok ? response.json() : Promise.reject(new Error(await response.text())));
    ${finish}</script>`,
    "service.js",
  ),
  ...app(
    "worklet",
    `<script type="module">
    const context = new OfflineAudioContext(1, 44100 * 600, 44100);
    await context.audioWorklet.addModule("main.js");
    const node = new AudioWorkletNode(context, "app");
    node.connect(context.destination);
    node.port.onmessage = ({ data }) => (globalThis.finished = data);
    void context.startRendering();</script>`,
    "worklet.js",
  ),
};

/** The files beside the single file for classic scripts. */
export const classicPage = page(`<script src="classic.min.js"></script><script>
  const { ${names} } = webgpuRnn;${body}const result = run();\n${finish}</script>`);
