/** The gradients page: shows the reports of its worker, and sends it the visitor's requests. */
import { showDevice } from "../device-panel.ts";
import { block, button, count, input, say } from "../dom.ts";
import type { BackendChoice, Problem } from "../messages.ts";
import { Notices } from "../notices.ts";
import { explain } from "../problems.ts";
import { Form } from "./form.ts";
import { Look } from "./look.ts";
import { LossChart } from "./loss-chart.ts";
import type { Reply, Request } from "./messages.ts";
import { NetworkCard } from "./network-card.ts";
import { networks } from "./networks.ts";
import { Norms } from "./norms.ts";

/** `none`: there are no networks, because the settings are invalid; `fresh`: they have learnt nothing yet. */
type State = "loading" | "none" | "starting" | "fresh" | "training" | "pausing" | "paused";
const words: Readonly<Record<State, string>> = {
  loading: "Loading…",
  none: "Ready",
  starting: "Getting ready…",
  fresh: "Ready",
  training: "Preparing the kernels…",
  pausing: "Finishing this step…",
  paused: "Paused",
};

let worker = startWorker();
let state: State = "loading";
let step = 0;
let guessing = NaN;
/** The backend that is known to work. */
let choice: BackendChoice = "auto";
/** True if the settings differ from those of the networks. */
let stale = true;
const notices = new Notices();
const cards = networks.map(
  (network) => new NetworkCard(network, { hover: (place) => look.hover(place), choose: (place) => look.choose(place) }),
);
block("maps").append(...cards.map(({ element }) => element));
const look: Look = new Look((shown, place) => cards.forEach((card) => card.show(shown, place)));
const chart = new LossChart(cards);
const form = new Form({ change: () => reset(), learningRate: (value) => send({ kind: "learningRate", value }), backend: chooseBackend });

function startWorker(): Worker {
  const made = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  made.addEventListener("message", ({ data }: MessageEvent<Reply>) => receive(data));
  made.addEventListener("error", (event) => {
    event.preventDefault();
    made.terminate();
    worker = startWorker();
    reset({ where: "auto" });
    problem({
      during: "training",
      kind: "other",
      message: event.message || "The part of this page that computes has ended; the device may be out of memory.",
    });
  });
  return made;
}

function send(request: Request): void {
  worker.postMessage(request);
}

function set(next: State): void {
  state = next;
  const running = state === "training" || state === "pausing";
  const waiting = state === "loading" || state === "starting";
  button("start").hidden = running;
  button("start").disabled = waiting;
  button("start").textContent = state === "paused" ? "Continue" : "Train";
  button("pause").hidden = !running;
  button("pause").disabled = state === "pausing";
  button("reset").disabled = waiting || state === "fresh";
  say(block("status"), words[state]);
  block("status").dataset.state = state;
  block("step").textContent = count(step);
  form.lock(running || state === "paused", running || waiting);
}

/** New networks with the settings as they are. */
function reset({ where = form.backend, andTrain = false }: { where?: BackendChoice; andTrain?: boolean } = {}): void {
  notices.clear();
  form.mark("");
  stale = true;
  set("starting");
  send({ kind: "start", choice: where, settings: form.read(), andTrain });
}

function start(): void {
  if (stale) return reset({ andTrain: true });
  notices.clear();
  set("starting");
  send({ kind: "resume" });
}

function chooseBackend(): void {
  if (stale) return reset();
  notices.clear();
  set("starting");
  send({ kind: "backend", choice: form.backend });
}

const receivers: { readonly [K in Reply["kind"]]: (reply: Extract<Reply, { kind: K }>) => void } = {
  backend(reply) {
    choice = form.backend = reply.choice;
    showDevice(reply);
  },
  networks(reply) {
    ({ step, guessing } = reply);
    stale = false;
    if (step === 0) for (const card of cards) card.clear();
    chart.draw(guessing);
    set(step === 0 ? "fresh" : "paused");
  },
  state(reply) {
    set(reply.state);
  },
  progress({ steps }) {
    for (const { step: at, losses } of steps) losses.forEach((loss, n) => cards[n].history.add({ step: at, loss }));
    ({ step } = steps[steps.length - 1]);
    if (state === "training") say(block("status"), "Training");
    block("step").textContent = count(step);
    for (const card of cards) card.showLoss(guessing);
    chart.draw(guessing);
  },
  flow({ network, steps, norms }) {
    cards[network].norms = new Norms(steps, norms);
    look.steps = steps;
    cards[network].show(look.shown, look.place);
  },
  failed({ network, message }) {
    cards[network].fail();
    notices.show(
      "problem",
      `The loss of the ${networks[network].title} is no longer a number`,
      `${message}. The others go on. A smaller learning rate or clipping would have helped; Reset begins anew.`,
    );
  },
  problem(reply) {
    problem(reply.problem);
  },
};

function receive(reply: Reply): void {
  (receivers[reply.kind] as (reply: Reply) => void)(reply);
}

function problem(found: Problem): void {
  if (found.during === "start") stale = true;
  if (state === "starting" || state === "loading") set(stale ? "none" : step === 0 ? "fresh" : "paused");
  if (found.during === "start") form.mark(found.message);
  const { title, message, ways } = explain(found, {
    learningRate: input("learningRate").valueAsNumber,
    hasCopy: false,
    save: () => undefined,
    slowDown: () => undefined,
    useBackend: (where) => reset({ where }),
    goOn: (where) => reset({ where, andTrain: true }),
  });
  form.backend = choice;
  notices.show("problem", title, message, ways);
}

button("start").addEventListener("click", start);
button("pause").addEventListener("click", () => {
  set("pausing");
  send({ kind: "pause" });
});
button("reset").addEventListener("click", () => reset());
set("loading");
send({ kind: "start", choice: "auto", settings: form.read(), andTrain: false });
