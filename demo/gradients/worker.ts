/**
 * The worker of the gradients page: trains the networks side by side, and computes the gradients of one after the
 * other.
 */
import { RnnError } from "webgpu-rnn";
import type { BackendChoice } from "../messages.ts";
import { Device, problemOf, RequestQueue } from "../worker-parts.ts";
import { Learner, lossOfGuessing } from "./learner.ts";
import type { Losses, Reply, Request, Settings } from "./messages.ts";
import { networks } from "./networks.ts";
import { checkSettings } from "./settings.ts";

const progressEvery = 100;
/** Least time between two matrices; matrices take at most half of the time. */
const flowEvery = 120;

const device = new Device({
  ready: (report) => reply({ kind: "backend", ...report }),
  lost(error) {
    if (!training) reply({ kind: "problem", problem: problemOf("training", error) });
  },
});
const queue = new RequestQueue<Request>();
let learners: readonly Learner[] = [];
let guessing = NaN;
let learningRate = NaN;
let step = 0;
let training = false;
let ending = false;

addEventListener("message", ({ data: request }: MessageEvent<Request>) => {
  if (request.kind === "learningRate") return void (learningRate = request.value);
  // Every request ends the training first.
  ending = training;
  if (request.kind !== "pause") queue.add(request);
});

void queue.serve(async (request) => {
  try {
    await handle(request);
  } catch (error) {
    reply({ kind: "problem", problem: problemOf(request.kind, error) });
  }
});

async function handle(request: Request): Promise<void> {
  switch (request.kind) {
    case "start":
      await make(request.choice, request.settings);
      return request.andTrain ? train() : undefined;
    case "backend":
      learners = await device.exchange(request.choice, (fresh) => Promise.all(learners.map((learner) => learner.moved(fresh))));
      return show();
    case "resume":
      return train();
    case "pause":
    case "learningRate":
  }
}

async function make(choice: BackendChoice, settings: Settings): Promise<void> {
  checkSettings(settings);
  learners = await device.exchange(choice, (fresh) =>
    Promise.all(networks.map(({ cell }) => Learner.create(cell, settings, () => learningRate, fresh))),
  );
  ({ learningRate } = settings);
  guessing = lossOfGuessing(settings);
  step = 0;
  await show();
}

async function show(): Promise<void> {
  for (const network of networks.keys()) await sendFlow(network);
  reply({ kind: "networks", step, guessing });
}

async function sendFlow(network: number): Promise<void> {
  const { steps } = learners[network].settings;
  const norms = await learners[network].flow();
  reply({ kind: "flow", network, steps, norms }, [norms.buffer]);
}

async function train(): Promise<void> {
  if (learners.length === 0) throw new RnnError("option", "Train", "there are no networks yet");
  const control = new AbortController();
  const runs = learners.map((learner) => learner.train(control.signal));
  let unsent: Losses[] = [];
  let [sent, nextFlow, turn] = [0, 0, 0];
  [training, ending] = [true, false];
  const send = (): void => {
    if (unsent.length > 0) reply({ kind: "progress", steps: unsent });
    unsent = [];
    sent = performance.now();
  };
  reply({ kind: "state", state: "training" });
  try {
    for (;;) {
      // Between two rounds only, so that all networks have done the same steps.
      if (ending || learners.every(({ failure }) => failure !== undefined)) control.abort();
      const losses = await round(runs);
      if (losses === undefined) break;
      unsent.push({ step: ++step, losses });
      if (performance.now() - sent > progressEvery) send();
      if (performance.now() > nextFlow && !control.signal.aborted) {
        const began = performance.now();
        await sendFlow(turn++ % networks.length);
        const end = performance.now();
        nextFlow = end + Math.max(flowEvery, end - began);
      }
    }
    send();
  } catch (error) {
    return reply({ kind: "problem", problem: problemOf("training", error) });
  } finally {
    // After an error, the other networks are still running.
    await Promise.allSettled(runs.map((run) => run.return()));
    [training, ending] = [false, false];
    reply({ kind: "state", state: "paused" });
  }
  await showLast();
}

/** The matrices at the end of the training, unless another request arrives meanwhile. */
async function showLast(): Promise<void> {
  for (const network of networks.keys()) {
    // On the CPU, nothing else lets messages arrive.
    await new Promise((resolve) => setTimeout(resolve));
    if (!queue.isEmpty) return;
    await sendFlow(network);
  }
}

/** One step of each network: their losses, or undefined once all have ended. */
async function round(runs: readonly AsyncGenerator<number, void, undefined>[]): Promise<number[] | undefined> {
  const losses: number[] = [];
  let ended = 0;
  for (const [network, run] of runs.entries()) {
    const learner = learners[network];
    const failed = learner.failure !== undefined;
    const { value, done } = await run.next();
    losses.push(value ?? NaN);
    if (done) ended++;
    if (!failed && learner.failure !== undefined) reply({ kind: "failed", network, message: learner.failure });
  }
  return ended === runs.length ? undefined : losses;
}

function reply(message: Reply, transfer: Transferable[] = []): void {
  postMessage(message, { transfer });
}
