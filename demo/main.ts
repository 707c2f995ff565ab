/** The page: shows what the worker reports, and sends it what the visitor wants. */
import { Chart } from "./chart.ts";
import { Controls } from "./controls.ts";
import { isSoftware, showDevice } from "./device-panel.ts";
import { block, button, compact, count, download, input } from "./dom.ts";
import type { BackendChoice, ModelInfo, Reply, Request } from "./messages.ts";
import { Notices } from "./notices.ts";
import { explain } from "./problems.ts";
import { showReport } from "./report-view.ts";
import { Samples } from "./samples.ts";
import { SettingsForm } from "./settings-form.ts";
import { TextSource } from "./text-source.ts";

let worker = startWorker();
const notices = new Notices();
const chart = new Chart();
const text = new TextSource();
const controls = new Controls({ start, pause: () => send({ kind: "pause" }), resume, kill });
const form = new SettingsForm({ backend: chooseBackend, learningRate: (value) => send({ kind: "learningRate", value }) });
const samples = new Samples({ change: (sampling) => send({ kind: "sampling", sampling }), ask: (sampling) => send({ kind: "sample", sampling }) });

let model: ModelInfo | undefined;
/** The backend that is known to work. */
let choice: BackendChoice = "auto";
/** The latest copy of the training, to go on from when the device or the worker is gone. */
let safeCopy: Uint8Array<ArrayBuffer> | undefined;
/** Whether the model that is being opened is the present one, so that curve and samples stay. */
let recovering = false;

function startWorker(): Worker {
  const made = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  made.addEventListener("message", ({ data }: MessageEvent<Reply>) => receive(data));
  made.addEventListener("error", (event) => {
    event.preventDefault();
    const message = event.message || "The part of this page that computes has ended; the device may be out of memory.";
    made.terminate();
    worker = startWorker();
    send({ kind: "backend", choice: "auto" });
    problem({ during: "training", kind: "other", message });
  });
  return made;
}

function send(request: Request): void {
  worker.postMessage(request);
}

async function start(): Promise<void> {
  notices.clear();
  form.mark("");
  const before = controls.state;
  controls.set("starting");
  try {
    const chosen = await text.get();
    samples.suggest(chosen.text);
    send({ kind: "sampling", sampling: samples.sampling });
    send({ kind: "start", choice: form.backend, settings: form.read(), text: chosen });
  } catch (error) {
    controls.set(before);
    notices.show("problem", "The text cannot be loaded", (error as Error).message);
  }
}

/** Ends a step that takes too long, at the price of the steps since the last copy. */
function kill(): void {
  worker.terminate();
  worker = startWorker();
  if (!safeCopy) model = undefined;
  recover(choice, false);
}

async function resume(): Promise<void> {
  notices.clear();
  // While it was stopped other settings may have been chosen, for another model.
  if (model) form.write({ ...model.settings, learningRate: form.read().learningRate });
  controls.set("starting");
  send({ kind: "sampling", sampling: samples.sampling });
  send({ kind: "resume", text: await text.get().catch(() => null) });
}

function chooseBackend(wanted: BackendChoice): void {
  notices.clear();
  controls.set("starting");
  send({ kind: "backend", choice: wanted });
}

/** Goes on with the present model from its last copy. */
function recover(where: BackendChoice, andTrain: boolean): void {
  if (!safeCopy) return void (andTrain ? start() : chooseBackend(where));
  recovering = true;
  void open(safeCopy.slice(), "the last copy", where, andTrain);
}

async function open(file: Uint8Array<ArrayBuffer>, name: string, where: BackendChoice, andTrain = false): Promise<void> {
  notices.clear();
  controls.set("starting");
  send({ kind: "open", choice: where, file, name, text: await text.get().catch(() => null), andTrain });
}

const receivers: { readonly [K in Reply["kind"]]: (reply: Extract<Reply, { kind: K }>) => void } = {
  backend(reply) {
    choice = form.backend = reply.choice;
    showDevice(reply);
    block("speed").textContent = "–";
    form.suggest(reply.backend === "webgpu" && !isSoftware(reply.adapter) ? "medium" : "small");
    if (controls.state !== "training") controls.set(model ? "paused" : "empty");
  },
  model(reply) {
    ({ model } = reply);
    if (recovering) chart.cutAfter(model.step);
    else if (reply.opened !== null || model.step === 0) {
      chart.clear();
      samples.clear();
    }
    const title = recovering ? "Back at the last copy" : `Opened ${reply.opened}`;
    recovering = false;
    if (model.step === 0) safeCopy = undefined;
    // A model that has only moved to another backend leaves the form alone, where another may be in the making.
    if (reply.opened !== null || model.step === 0) form.write(model.settings);
    block("parameters").textContent = compact(model.parameters);
    block("step").textContent = count(model.step);
    if (model.step === 0) for (const id of ["loss", "bits", "speed"]) block(id).textContent = "–";
    controls.set("paused");
    if (reply.opened === null) return;
    const { cell, hidden, layers } = model.settings;
    const what = `${layers > 1 ? `${layers} layers of ` : ""}${cell.toUpperCase()} ${hidden}, ${count(model.step)} ${model.step === 1 ? "step" : "steps"} on “${model.textName}”.`;
    notices.show("info", title, model.cannotTrain === null ? what : `${what} ${model.cannotTrain}`);
  },
  state({ state }) {
    controls.set(state);
  },
  progress({ steps, charactersPerSecond }) {
    chart.add(steps);
    const loss = chart.history.latest;
    block("step").textContent = count(steps[steps.length - 1].step);
    block("loss").textContent = loss.toFixed(3);
    block("bits").textContent = (loss / Math.LN2).toFixed(3);
    const known = charactersPerSecond > 0 && model !== undefined;
    if (known) block("speed").textContent = compact(charactersPerSecond);
    controls.stepped(known ? (model!.settings.batch * model!.settings.window) / charactersPerSecond : NaN);
  },
  sample(reply) {
    samples.add(reply);
  },
  checkpoint({ file, step, asked }) {
    safeCopy = file;
    if (asked) download(file, `${model?.textName.toLowerCase().replace(/\.\w+$/, "").replace(/[^\p{L}\p{N}]+/gu, "-") || "model"}-${step}.safetensors`);
  },
  verify({ report }) {
    controls.checking = false;
    showReport(report);
  },
  problem(reply) {
    problem(reply.problem);
  },
};

function receive(reply: Reply): void {
  (receivers[reply.kind] as (reply: Reply) => void)(reply);
}

function problem(found: Extract<Reply, { kind: "problem" }>["problem"]): void {
  recovering = false;
  controls.checking = false;
  if (controls.state === "starting") controls.set(model ? "paused" : "empty");
  if (found.during === "sample" && found.kind !== "device") return samples.complain(found.message);
  if (found.during === "start" || found.during === "verify") form.mark(found.message);
  const { title, message, ways } = explain(found, {
    learningRate: form.read().learningRate,
    hasCopy: safeCopy !== undefined,
    useBackend: chooseBackend,
    goOn: (where) => {
      form.backend = where;
      recover(where, true);
    },
    slowDown(value) {
      input("learningRate").value = String(value);
      send({ kind: "learningRate", value });
      void resume();
    },
    save: () => safeCopy && download(safeCopy, "safe-copy.safetensors"),
  });
  form.backend = choice;
  notices.show("problem", title, message, ways);
}

button("download").addEventListener("click", () => send({ kind: "checkpoint" }));
button("verify").addEventListener("click", () => {
  controls.checking = true;
  send({ kind: "verify", settings: form.read() });
});

/** Any file, chosen or dropped: checkpoints are opened, everything else is a text. */
async function take(file: File): Promise<void> {
  if (!file.name.endsWith(".safetensors")) return text.read(file);
  await open(new Uint8Array(await file.arrayBuffer()), file.name, form.backend);
}

input("upload").addEventListener("change", ({ target }) => {
  const { files } = target as HTMLInputElement;
  const file = files?.[0];
  // The same file may be chosen again.
  if (file) void file.arrayBuffer().then((bytes) => open(new Uint8Array(bytes), file.name, form.backend)).finally(() => ((target as HTMLInputElement).value = ""));
});
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  const file = event.dataTransfer?.files[0];
  if (file) void take(file);
});

controls.onChange = (state) => {
  const busy = state === "training" || state === "starting" || state === "loading";
  form.lock(busy || (state === "paused" && !controls.unlocked));
  form.lockBackend(busy);
  text.disabled = busy;
};
controls.set("loading");
send({ kind: "backend", choice: "auto" });
