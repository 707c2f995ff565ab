/** The bench page. Everything that computes is in the worker; here are buttons, a chart and a table. */
import { browserName } from "./browser-name.ts";
import { Chart } from "./chart.ts";
import { block, button, choice, download, field, make } from "./dom.ts";
import { Form } from "./form.ts";
import type { Reply, Request } from "./messages.ts";
import type { PlanOptions } from "./plan.ts";
import { Results } from "./results.ts";
import { showTable } from "./table-view.ts";
import { caseTitle, verdict } from "./words.ts";

/** A run that has not stopped after this long is in the middle of something long, and is ended by force. */
const patience = 4000;

const form = new Form();
const chart = new Chart();
const results = new Results(browserName(navigator.userAgent), `${navigator.hardwareConcurrency} cores`);
let worker: Worker;
let running = false;
let force: ReturnType<typeof setTimeout> | undefined;

function startWorker(peers: boolean): void {
  button("run").disabled = button("run-all").disabled = field("peers").disabled = true;
  status(peers ? "Loading the other libraries…" : "Looking for devices…");
  worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  worker.addEventListener("message", ({ data }: MessageEvent<Reply>) => receive(data));
  worker.addEventListener("error", (event) => problem(event.message || "the worker could not be loaded"));
  send({ kind: "open", peers });
}

const send = (request: Request): void => worker.postMessage(request);

function receive(reply: Reply): void {
  switch (reply.kind) {
    case "opened": return opened(reply);
    case "problem":
      problem(reply.message);
      return finished("");
    case "done":
      results.finish(reply.report);
      return finished(reply.stopped ? "Stopped." : "Done.");
    case "event": {
      const { event } = reply;
      if (event.kind === "progress") {
        block("progress").setAttribute("max", String(event.of));
        block("progress").setAttribute("value", String(event.done));
        return status(`${event.of > 1 ? `${event.done + 1} of ${event.of}: ` : ""}${event.text}…`);
      }
      results.take(event);
      if (event.kind === "row") show(caseTitle(event.row));
      else show();
    }
  }
}

function opened(reply: Reply & { kind: "opened" }): void {
  results.open(reply);
  block("adapter").textContent = reply.adapter;
  block("cpu").textContent = reply.libraries.find(({ name, backend }) => name === "webgpu-rnn" && backend === "cpu")?.adapter ?? "none";
  block("browser").textContent = `${browserName(navigator.userAgent)}, ${navigator.hardwareConcurrency} cores`;
  block("note").textContent = reply.note;
  block("note").hidden = !reply.software && !reply.adapter.startsWith("none");
  form.offer(reply.libraries);
  button("run").disabled = button("run-all").disabled = false;
  field("peers").disabled = !reply.peersInstalled;
  block("peers-label").hidden = !reply.peersInstalled;
  block("peers-note").textContent = reply.peersInstalled ? "" : "To compare with tfjs, jax-js, ONNX Runtime, gpu.js and brain.js, install them with npm run bench -- --peers, and build this page again.";
  status("Ready.");
}

function run(plan: () => PlanOptions): void {
  block("problem").hidden = true;
  try {
    const options = plan();
    running = true;
    for (const id of ["run", "run-all"]) button(id).hidden = true;
    button("stop").hidden = block("progress").hidden = false;
    button("stop").disabled = false;
    field("peers").disabled = true;
    block("progress").removeAttribute("value");
    send({ kind: "run", options });
    // On a phone the form fills the screen, and what happens would happen below it.
    if (matchMedia("(max-width: 860px)").matches) block("chart-title").scrollIntoView({ block: "start" });
  } catch (error) {
    problem((error as Error).message);
  }
}

function stop(): void {
  status("Stopping after the present sample…");
  button("stop").disabled = true;
  send({ kind: "stop" });
  force = setTimeout(() => {
    worker.terminate();
    finished("");
    startWorker(field("peers").checked);
  }, patience);
}

function finished(text: string): void {
  clearTimeout(force);
  running = false;
  for (const id of ["run", "run-all"]) button(id).hidden = false;
  button("stop").hidden = block("progress").hidden = true;
  field("peers").disabled = block("peers-label").hidden;
  if (text) status(text);
  show();
}

/** Shows all rows, and the chart of one case: the one given, else the one that is chosen. */
function show(title = choice("pick").value): void {
  const { rows, absent } = results;
  showTable(rows, absent);
  const titles = [...new Set(rows.map(caseTitle))];
  choice("pick").replaceChildren(...titles.map((text) => make("option", text)));
  const chosen = titles.includes(title) ? title : titles.at(-1) ?? "";
  choice("pick").value = chosen;
  block("pick-label").hidden = titles.length < 2;
  block("chart-title").textContent = chosen || "Nothing measured yet";
  const shown = rows.filter((row) => caseTitle(row) === chosen);
  chart.show(shown);
  block("verdict").textContent = verdict(shown, results.software);
  block("legend").hidden = shown.length === 0;
  button("export").disabled = rows.length === 0;
  button("clear").disabled = rows.length === 0 && absent.length === 0;
}

function status(text: string): void {
  block("status").textContent = text;
}

function problem(text: string): void {
  block("problem").textContent = text;
  block("problem").hidden = false;
}

button("run").addEventListener("click", () => run(() => form.plan()));
button("run-all").addEventListener("click", () => run(() => form.planAll()));
button("stop").addEventListener("click", stop);
button("export").addEventListener("click", () => download("webgpu-rnn-bench.json", `${JSON.stringify(results.report(), null, 2)}\n`));
button("clear").addEventListener("click", () => {
  results.clear();
  show();
});
choice("pick").addEventListener("change", () => show());
field("peers").addEventListener("change", () => {
  if (running) return;
  worker.terminate();
  startWorker(field("peers").checked);
});
block("settings").addEventListener("submit", (event) => event.preventDefault());
show();
startWorker(false);
