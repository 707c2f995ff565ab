/** The page: shows what the worker reports, and sends it what the visitor wants. */
import { fromAddress, toAddress } from "./address.ts";
import type { Offer } from "./autosave.ts";
import { Chart } from "./chart.ts";
import { Controls } from "./controls.ts";
import { isSoftware, showDevice } from "./device-panel.ts";
import { block, button, compact, count, download, input } from "./dom.ts";
import { takeFiles } from "./dropped-files.ts";
import { Keeper } from "./keeper.ts";
import type { BackendChoice, ModelInfo, Problem, Reply, Request, Text } from "./messages.ts";
import { Divergence, inWords, ModelView } from "./model-view.ts";
import { Notices } from "./notices.ts";
import { explain } from "./problems.ts";
import { hideReport, showReport } from "./report-view.ts";
import { Samples } from "./samples.ts";
import { SettingsForm } from "./settings-form.ts";
import { inBytes } from "./size.ts";
import { TextSource } from "./text-source.ts";

const notices = new Notices("messages");
const chart = new Chart();
const view = new ModelView();
const text = new TextSource((title, message) => notices.show("problem", title, message));
const controls = new Controls({ start, pause: () => send({ kind: "pause" }), resume, kill });
const form = new SettingsForm({
  backend: chooseBackend,
  learningRate: changeLearningRate,
  complain: (message) => notices.show("problem", "This setting does not work", message),
  change: share,
});
const samples = new Samples({
  change: (sampling) => send({ kind: "sampling", sampling }),
  ask: (sampling) => send({ kind: "sample", sampling }),
});
const keeper = new Keeper(new Notices("offer"), (offer, kept) => {
  if (kept.text) text.use(kept.text);
  void open(kept.file, { name: "the training that was kept", offer }, form.backend, { andTrain: true });
});

/** Why a file is opened: the visitor's own, the last copy of the present model, or a training that a reload has left. */
interface Opening {
  readonly name: string;
  readonly isCopy?: boolean;
  readonly offer?: Offer;
}

let worker = startWorker();
/** The worker's model. */
let model: ModelInfo | undefined;
/** True if the worker with the model is gone. Its last copy is still here. */
let isGone = false;
/** The text that was sent last, and the one that the model reads. */
let given: Text | null = null;
let reads: Text | null = null;
/** The backend that is known to work, if there is one yet. */
let choice: BackendChoice | undefined;
/**
 * The latest copy of the model, to continue from if the device or the worker is lost. No copy is made while the loss
 * diverges.
 */
let safeCopy: { readonly file: Uint8Array<ArrayBuffer>; readonly step: number } | undefined;
let opening: Opening | undefined;
let divergence = new Divergence(1);

function startWorker(): Worker {
  const made = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  made.addEventListener("message", ({ data }: MessageEvent<Reply>) => made === worker && receive(data));
  made.addEventListener("error", (event) => {
    event.preventDefault();
    const message = event.message || "The part of this page that computes has ended; the device may be out of memory.";
    replaceWorker();
    send({ kind: "backend", choice: "auto" });
    problem({ during: "training", kind: "other", message });
    controls.set(model ? "paused" : "empty");
  });
  return made;
}

/** Ends the worker, and its model with it. */
function replaceWorker(): void {
  worker.terminate();
  worker = startWorker();
  isGone = true;
  opening = undefined;
  controls.checking = false;
  if (!safeCopy) forget();
}

/** There is no model any more. */
function forget(): void {
  model = undefined;
  reads = null;
  view.clear();
  view.show(undefined);
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
    given = await text.get();
    samples.suggest(given.text);
    share();
    send({ kind: "sampling", sampling: samples.sampling });
    send({ kind: "start", choice: form.backend, settings: form.read(), text: given });
  } catch (error) {
    controls.set(before);
    notices.show("problem", "The text cannot be loaded", (error as Error).message);
  }
}

/** Ends what takes too long, at the price of the steps since the last copy. */
function kill(): void {
  notices.clear();
  replaceWorker();
  recover(choice ?? "auto", false);
}

async function resume(): Promise<void> {
  if (isGone) return recover(form.backend, true);
  notices.clear();
  // While it was stopped other settings may have been chosen, for another model.
  if (model) form.write(model.settings);
  controls.set("starting");
  given = await text.get().catch(() => null);
  send({ kind: "sampling", sampling: samples.sampling });
  send({ kind: "resume", text: given });
}

function chooseBackend(wanted: BackendChoice): void {
  notices.clear();
  controls.set("starting");
  send({ kind: "backend", choice: wanted });
}

function changeLearningRate(learningRate: number): void {
  if (model) model = { ...model, settings: { ...model.settings, learningRate } };
  send({ kind: "learningRate", value: learningRate });
}

/** Continues the present model from its last copy, or starts again if there is none. */
function recover(where: BackendChoice, andTrain: boolean, learningRate?: number): void {
  if (safeCopy) return void open(safeCopy.file, { name: "the last copy", isCopy: true }, where, { andTrain, learningRate });
  if (learningRate !== undefined) input("learningRate").value = String(learningRate);
  form.backend = where;
  if (andTrain) void start();
  else chooseBackend(where);
}

/** Opens a checkpoint. The present model keeps running until everything in the file is found valid. */
async function open(
  file: Uint8Array<ArrayBuffer>,
  why: Opening,
  where: BackendChoice,
  { andTrain = false, learningRate }: { andTrain?: boolean; learningRate?: number } = {},
): Promise<void> {
  notices.clear();
  opening = why;
  if (controls.state !== "training") controls.set("starting");
  given = await text.get().catch(() => null);
  send({ kind: "sampling", sampling: samples.sampling });
  send({ kind: "open", choice: where, file, name: why.name, text: given, andTrain, learningRate });
}

const receivers: { readonly [K in Reply["kind"]]: (reply: Extract<Reply, { kind: K }>) => void } = {
  backend(reply) {
    choice = form.backend = reply.choice;
    showDevice(reply);
    hideReport();
    block("speed").textContent = "–";
    form.suggest(reply.backend === "webgpu" && !isSoftware(reply.adapter) ? "medium" : "small");
    if (!["training", "pausing"].includes(controls.state)) controls.set(model ? "paused" : "empty");
  },
  planned({ planned: { parameters, bytes } }) {
    controls.prepares(`${compact(parameters)} parameters, ${inBytes(bytes)}`);
  },
  model(reply) {
    ({ model } = reply);
    isGone = false;
    const isNew = reply.opened === null ? model.step === 0 : !opening?.isCopy;
    if (isNew) {
      chart.clear(opening?.offer?.losses);
      samples.clear();
      hideReport();
      view.clear();
      safeCopy = undefined;
      reads = model.hasText ? given : null;
      keeper.begin(opening?.offer);
    }
    divergence = new Divergence(model.vocabulary);
    chart.cutAfter(model.step);
    view.show(model);
    view.showLoss(chart.history.latest);
    // If the model only moved to another backend, the form stays: the visitor may be editing it.
    if (reply.opened !== null || isNew) form.write(model.settings);
    share();
    controls.set("paused");
    if (reply.opened !== null) sayOpened(model, reply.opened);
    opening = undefined;
  },
  state(reply) {
    if (reply.state === "training") {
      reads = given ?? reads;
      if (model) view.show((model = { ...model, textName: reply.textName, hasText: true }));
    }
    // A training that makes room for another is not paused.
    if (reply.state === "training" || controls.state !== "starting") controls.set(reply.state);
  },
  progress({ steps, charactersPerSecond }) {
    chart.add(steps);
    const loss = chart.history.latest;
    view.showStep(steps[steps.length - 1].step, charactersPerSecond);
    view.showLoss(loss);
    if (divergence.begins(loss)) warn(loss);
    if (divergence.ends(loss)) notices.clear("divergence");
    const known = charactersPerSecond > 0 && model !== undefined;
    controls.stepped(known ? (model!.settings.batch * model!.settings.window) / charactersPerSecond : NaN, divergence.isOn);
  },
  sample(reply) {
    samples.add(reply);
  },
  checkpoint({ file, step, asked }) {
    if (model && asked)
      download(
        file,
        `${
          model.textName
            .toLowerCase()
            .replace(/\.\w+$/, "")
            .replace(/[^\p{L}\p{N}]+/gu, "-") || "model"
        }-${step}.safetensors`,
      );
    if (!model || divergence.isOn) return;
    safeCopy = { file, step };
    keeper.save({ file, step, about: inWords(model.settings, model.textName), text: reads, losses: chart.history.kept });
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

function sayOpened({ settings, step, textName, hasText }: ModelInfo, name: string): void {
  const title = opening?.isCopy ? "Back at the last copy" : opening?.offer ? "Back where you left off" : `Opened ${name}`;
  const what = `${inWords(settings, textName)}, ${count(step)} ${step === 1 ? "step" : "steps"}.`;
  notices.show(
    "info",
    title,
    hasText ? what : `${what} That is not the text chosen here. The network can write; Continue trains it on the chosen text.`,
  );
}

/** The loss is far above that of guessing. */
function warn(loss: number): void {
  const { learningRate } = form.read();
  const slower = Math.min(0.005, Number((learningRate / 10).toPrecision(1)));
  const from = safeCopy ? `Go back to step ${count(safeCopy.step)}` : "Begin again";
  notices.show(
    "problem",
    "The loss diverges",
    `It is ${loss.toFixed(1)}; guessing every character with the same chance gives ${divergence.guessing.toFixed(1)}. The learning rate of ${learningRate} is too large for this network.`,
    [{ label: `${from} with learning rate ${slower}`, go: () => recover(choice ?? "auto", true, slower) }],
    "divergence",
  );
}

function problem(found: Problem): void {
  const { during, kind, message: said } = found;
  if (during === "sample" && kind !== "device") return samples.complain(said);
  if (during === "verify" || kind === "device") controls.checking = false;
  if (during === "open") opening = undefined;
  if (controls.state === "starting" || controls.state === "loading") controls.set(model ? "paused" : "empty");
  if (during === "start" || during === "verify") form.mark(said);
  const { title, message, ways } = explain(found, {
    learningRate: form.read().learningRate,
    hasCopy: safeCopy !== undefined,
    useBackend: chooseBackend,
    goOn: (where) => recover(where, true),
    slowDown(value) {
      input("learningRate").value = String(value);
      changeLearningRate(value);
      void resume();
    },
    trainNew: () => void start(),
    save: () => safeCopy && download(safeCopy.file, "safe-copy.safetensors"),
  });
  if (choice === undefined) send({ kind: "backend", choice: "auto" });
  else form.backend = choice;
  notices.show("problem", title, message, ways);
}

/** Puts the settings into the address. */
function share(): void {
  try {
    history.replaceState(null, "", toAddress({ ...form.read(), ...samples.sampling, backend: form.backend }) + location.hash);
  } catch {
    // Browsers bound how often an address may change; the next change brings this one with it.
  }
}

button("download").addEventListener("click", () => {
  if (isGone && safeCopy) download(safeCopy.file, "safe-copy.safetensors");
  else send({ kind: "checkpoint", asked: true });
});
button("verify").addEventListener("click", () => {
  if (controls.checking) return;
  controls.checking = true;
  send({ kind: "verify", settings: form.read() });
});
takeFiles({
  isBusy: () => opening !== undefined || ["loading", "starting", "pausing"].includes(controls.state),
  checkpoint: (file, name) => void open(file, { name }, form.backend),
  text: (file) => text.read(file),
  refuse: (message) => notices.show("problem", "This file cannot be opened", message),
});
// Browsers may end a hidden tab without notice.
document.addEventListener(
  "visibilitychange",
  () => document.hidden && controls.state === "training" && send({ kind: "checkpoint", asked: false }),
);
document.querySelector(".writing .bar")!.addEventListener("change", share);

controls.onChange = (state) => {
  const busy = !["empty", "paused"].includes(state);
  form.lock(busy || (state === "paused" && !controls.unlocked));
  form.lockBackend(busy);
  text.locked = busy;
  if (isGone) button("sample").disabled = true;
};
controls.set("loading");
const { shared, problems } = fromAddress(location.search);
form.write(shared);
samples.write(shared);
if (problems.length > 0)
  notices.show("problem", "Some settings in the address of this page do not work", `${problems.join(". ")}. The others are taken.`);
send({ kind: "backend", choice: form.backend });
void keeper.offer(() => model === undefined && controls.state !== "starting");
