/** The models page: opens files, shows the reports of its worker, and sends it the visitor's requests. */
import { RnnError } from "webgpu-rnn";
import { showDevice } from "../device-panel.ts";
import { block, button, choose, chosen, download, input, radios, say } from "../dom.ts";
import type { BackendChoice, Problem } from "../messages.ts";
import { Notices } from "../notices.ts";
import { hideReport, showReport } from "../report-view.ts";
import type { ExportFormat, Reply, Request } from "./messages.ts";
import { showModel } from "./model-card.ts";
import { ResultCard } from "./result-card.ts";
import { readConstants, readFiles, SourceForm } from "./source-form.ts";

const notices = new Notices();
const results = new ResultCard();
const sources = new SourceForm((error) => refuse("That cannot be read", error));
/** The backend that is known to work. */
let choice: BackendChoice = "auto";
let hasModel = false;
const formats: readonly ExportFormat[] = ["safetensors", "onnx"];
/** Requests that have not been answered. */
let waiting = 0;
let worker = startWorker();

function startWorker(): Worker {
  const made = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  made.addEventListener("message", ({ data }: MessageEvent<Reply>) => receive(data));
  made.addEventListener("error", (event) => {
    event.preventDefault();
    made.terminate();
    worker = startWorker();
    [hasModel, waiting] = [false, 0];
    notices.show(
      "problem",
      "The part of this page that computes has ended",
      `${event.message || "The device may be out of memory"}. Open the model again.`,
    );
    send({ kind: "backend", choice: "auto" }, "Loading…");
  });
  return made;
}

function send(request: Request, words: string): void {
  worker.postMessage(request);
  waiting++;
  update(words);
}

function update(words: string): void {
  const busy = waiting > 0;
  for (const id of ["run", "compare", "verify", ...formats]) button(id).disabled = busy || !hasModel;
  input("upload").disabled = busy;
  for (const radio of radios("backend")) radio.disabled = busy;
  say(block("status"), busy ? words : "Ready");
}

function refuse(title: string, error: unknown): void {
  if (!(error instanceof RnnError)) console.error(error);
  notices.show("problem", title, error instanceof Error ? error.message : String(error));
}

async function open(files: readonly File[]): Promise<void> {
  if (files.length === 0 || waiting > 0) return;
  notices.clear();
  try {
    const constants = readConstants(input("constants").value);
    send({ kind: "open", choice, files: await readFiles(files), constants }, "Reading…");
  } catch (error) {
    refuse("This file cannot be opened", error);
  }
}

async function run(): Promise<void> {
  notices.clear();
  try {
    send({ kind: "run", source: await sources.read() }, "Running…");
  } catch (error) {
    refuse("That cannot be run", error);
  }
}

const receivers: { readonly [K in Reply["kind"]]: (reply: Extract<Reply, { kind: K }>) => void } = {
  backend(reply) {
    choice = reply.choice;
    choose("backend", choice);
    showDevice(reply);
    hideReport();
  },
  model({ model }) {
    hasModel = true;
    results.clear();
    hideReport();
    sources.suit(model);
    showModel(model);
  },
  run: ({ report }) => results.show(report),
  compare: ({ report }) => results.compared(report),
  verify: ({ report }) => showReport(report),
  export({ file, name, problem }) {
    download(file, name);
    if (problem !== "") notices.show("info", "The file holds weights alone", problem);
  },
  done() {
    waiting = Math.max(0, waiting - 1);
    update("Working…");
  },
  problem: ({ problem }) => explain(problem),
};

function receive(reply: Reply): void {
  (receivers[reply.kind] as (reply: Reply) => void)(reply);
}

const titles: Partial<Record<Problem["during"], string>> = {
  open: "This model cannot be opened",
  backend: "This cannot be computed on here",
  compare: "They cannot be compared",
  export: "This file cannot be written",
};

function explain({ during, kind, message }: Problem): void {
  choose("backend", choice);
  const onCpu = { label: "Use the CPU", go: () => send({ kind: "backend", choice: "cpu" }, "Getting ready…") };
  const present = during === "open" && hasModel ? " The present model is as it was." : "";
  const hint = message.includes("give constants:") ? " Write it into Fixed inputs, such as sr=16000, and open the file again." : "";
  notices.show(
    "problem",
    titles[during] ?? "That did not work",
    `${message}.${hint}${present}`,
    kind === "device" && during !== "compare" ? [onCpu] : [],
  );
}

const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false;
addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
addEventListener("drop", (event) => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  void open([...(event.dataTransfer?.files ?? [])]);
});
input("upload").addEventListener("change", () => {
  // The same file may be chosen again.
  void open([...(input("upload").files ?? [])]).finally(() => (input("upload").value = ""));
});
for (const radio of radios("backend"))
  radio.addEventListener("change", () => send({ kind: "backend", choice: chosen("backend") as BackendChoice }, "Getting ready…"));
block("settings").addEventListener("submit", (event) => event.preventDefault());
button("run").addEventListener("click", () => void run());
button("compare").addEventListener("click", () => send({ kind: "compare" }, "Comparing…"));
button("verify").addEventListener("click", () => send({ kind: "verify" }, "Checking every kernel…"));
for (const as of formats) button(as).addEventListener("click", () => send({ kind: "export", as }, "Writing…"));
send({ kind: "backend", choice: "auto" }, "Loading…");
