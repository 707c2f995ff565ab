/** The bench page. Everything that computes is in the worker; here are buttons, a chart and a table. */
import { block, button, byId, input, make, say } from "../demo/dom.ts";
import { browserName } from "./browser-name.ts";
import { caseName, type Case } from "./cases.ts";
import { Chart } from "./chart.ts";
import { inWords } from "./amounts.mjs";
import { Form } from "./form.ts";
import type { Reply, Request } from "./messages.ts";
import type { PlanOptions } from "./plan.ts";
import { Results } from "./results.ts";
import type { Event } from "./runner.ts";
import { copyText, downloadText } from "./sharing.ts";
import { absences, reportText } from "./table.ts";
import { showTable } from "./table-view.ts";
import { caseTitle, verdict } from "./words.ts";

/** A run that has not stopped after this long is in the middle of something long, and is ended by force. */
const patience = 4000;

type State = "loading" | "ready" | "running" | "cancelling" | "broken";

const form = new Form();
const chart = new Chart();
const results = new Results(browserName(navigator.userAgent), `${navigator.hardwareConcurrency} cores`);
const pick = byId("pick", HTMLSelectElement);
/** All cases that were begun, by name. */
const cases = new Map<string, Case>();
let worker: Worker;
let state: State = "loading";
let moreLibraries = false;
let started = 0;
let force: ReturnType<typeof setTimeout> | undefined;
/** True if the chart goes along from case to case: until the visitor chooses one. */
let following = true;
let showing = false;

/** @param all also the libraries that are not measured by default */
function startWorker(all: boolean): void {
  set("loading");
  say(block("status"), all ? "Loading the other libraries…" : "Looking for devices…");
  const made = (worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" }));
  made.addEventListener("message", ({ data }: MessageEvent<Reply>) => receive(data));
  made.addEventListener("error", (event) => {
    event.preventDefault();
    made.terminate();
    const begun = state !== "loading";
    problem(`The part of this page that measures has ended: ${event.message || "it could not be loaded, or the device is out of memory"}.`);
    finished("");
    // One that ends before it was ready would do so again.
    if (begun) startWorker(input("peers").checked);
    else set("broken");
  });
  send({ kind: "open", all });
}

const send = (request: Request): void => worker.postMessage(request);

function receive(reply: Reply): void {
  switch (reply.kind) {
    case "opened":
      return opened(reply);
    case "problem":
      problem(reply.message);
      return finished("");
    case "done":
      return finished(reply.stopped ? "Cancelled." : "Done.");
    case "event":
      return happened(reply.event);
  }
}

function opened(reply: Reply & { kind: "opened" }): void {
  results.open(reply);
  for (const absence of reply.absent) results.take({ kind: "absent", absence });
  block("adapter").textContent = reply.adapter;
  block("cpu").textContent = reply.libraries.find(({ name, backend }) => name === "webgpu-rnn" && backend === "cpu")?.adapter ?? "none";
  block("browser").textContent = `${browserName(navigator.userAgent)}, ${navigator.hardwareConcurrency} cores`;
  say(block("note"), reply.software || reply.adapter.startsWith("none") ? reply.note : "");
  form.offer(reply.libraries, reply.software);
  moreLibraries = reply.more;
  block("peers-label").hidden = !reply.more;
  say(
    block("peers-note"),
    reply.more
      ? ""
      : "To compare with tfjs, jax-js and brain.js too, install them with “npm run bench -- --peers”, and start this page again.",
  );
  set("ready");
  say(block("status"), "Ready.");
  show();
}

function happened(event: Event): void {
  results.take(event);
  if (event.kind === "progress") {
    const elapsed = (performance.now() - started) / 1000;
    byId("progress", HTMLProgressElement).value = elapsed / (elapsed + event.left);
    if (state !== "running") return;
    const which = event.of > 1 ? `Case ${event.done + 1} of ${event.of}: ` : "";
    const text = which + event.text;
    say(block("status"), `${text[0].toUpperCase()}${text.slice(1)}…`);
    return say(block("left"), `${inWords(event.left)} left`);
  }
  if (event.kind === "ceiling") form.isPrepared(event.backend);
  if (event.kind === "case") {
    cases.set(caseName(event.case), event.case);
    show(following ? caseName(event.case) : undefined);
  } else if (!showing) {
    // Samples come faster than anybody reads.
    showing = true;
    setTimeout(() => {
      showing = false;
      show();
    }, 250);
  }
}

/** Buttons that come and go take the keyboard's focus along. */
function set(next: State): void {
  state = next;
  const running = state === "running" || state === "cancelling";
  const [leaving, coming] = running ? ["run", "cancel"] : ["cancel", "run"];
  const focused = document.activeElement?.id === leaving || (running && document.activeElement?.id === "run-all");
  for (const id of ["run", "run-all"]) {
    button(id).hidden = running;
    button(id).disabled = state !== "ready";
  }
  button("cancel").hidden = block("going").hidden = !running;
  block("takes").hidden = running;
  button("cancel").disabled = state === "cancelling";
  input("peers").disabled = state !== "ready" || !moreLibraries;
  if (focused) button(coming).focus();
}

function run(plan: () => PlanOptions): void {
  say(block("problem"), "");
  try {
    const options = plan();
    started = performance.now();
    following = true;
    set("running");
    byId("progress", HTMLProgressElement).value = 0;
    say(block("left"), "");
    say(block("status"), "Starting…");
    send({ kind: "run", options });
  } catch (error) {
    problem((error as Error).message);
  }
}

function cancel(): void {
  set("cancelling");
  say(block("status"), "Cancelling after the present sample…");
  send({ kind: "stop" });
  force = setTimeout(() => {
    worker.terminate();
    finished("");
    startWorker(input("peers").checked);
  }, patience);
}

function finished(text: string): void {
  clearTimeout(force);
  if (state !== "loading") set("ready");
  if (text || state !== "loading") say(block("status"), text || "Ready.");
  show();
}

/** Shows all rows, and the chart of one case: the one given, else the one that is chosen. */
function show(name = pick.value): void {
  const { rows, absent } = results;
  showTable(rows, absent);
  const chosen = cases.has(name) ? name : ([...cases.keys()].at(-1) ?? "");
  const of = cases.get(chosen);
  pick.replaceChildren(...[...cases].map(([value, one]) => make("option", "", caseTitle(one), { value })));
  pick.value = chosen;
  block("pick-label").hidden = cases.size < 2;
  block("chart-title").textContent = of ? caseTitle(of) : "Nothing measured yet";
  const shown = rows.filter((row) => caseName(row) === chosen);
  chart.show(shown);
  say(block("verdict"), verdict(shown, results.software));
  block("legend").hidden = shown.length === 0;
  const refused = absent.filter((one) => one.case === chosen && one.kind === "refused");
  block("refused").hidden = refused.length === 0;
  block("refused").replaceChildren(...absences(refused.map((one) => ({ ...one, case: "" }))).map((line) => make("li", "", line)));
  for (const id of ["export", "copy"]) button(id).disabled = rows.length === 0;
  button("clear").disabled = rows.length === 0 || state === "running" || state === "cancelling";
}

function problem(text: string): void {
  say(block("problem"), text);
}

block("settings").addEventListener("submit", (event) => {
  event.preventDefault();
  if (state === "ready") run(() => form.plan());
});
button("run-all").addEventListener("click", () => run(() => form.planAll()));
button("cancel").addEventListener("click", cancel);
button("export").addEventListener("click", () => downloadText("webgpu-rnn-bench.json", `${JSON.stringify(results.report(), null, 2)}\n`));
button("copy").addEventListener("click", () => void copyText(reportText(results.report())).then((said) => say(block("shared"), said)));
button("clear").addEventListener("click", () => {
  results.clear();
  cases.clear();
  show();
});
pick.addEventListener("change", () => {
  following = false;
  show();
});
input("peers").addEventListener("change", () => {
  worker.terminate();
  startWorker(input("peers").checked);
});
show();
startWorker(false);
