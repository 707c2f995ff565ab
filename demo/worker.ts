/**
 * The worker: everything that computes. Requests wait in a queue and are answered one after the other; training is
 * one of them, and lets those that need the model (a sample, a checkpoint, a check) pass between two steps.
 */
import { RnnError, type Backend } from "webgpu-rnn";
import { checkDevice } from "./device-check.ts";
import type { BackendChoice, Reply, Request, Sampling, StepReport, Text } from "./messages.ts";
import { makeModel } from "./model.ts";
import { Run } from "./run.ts";
import { checkSettings } from "./settings.ts";
import { Speed } from "./speed.ts";
import { Device, problemOf, RequestQueue } from "./worker-parts.ts";

const progressEvery = 100;
const safeCopyEvery = 20_000;
/** Samples come at least this far apart, and take at most a tenth of the time. */
const sampleEvery = 2500;

const device = new Device({
  ready: (report) => reply({ kind: "backend", ...report }),
  lost(error) {
    if (!training) reply({ kind: "problem", problem: problemOf("backend", error) });
  },
});
let run: Run | undefined;
let training: AbortController | undefined;
let sampling: Sampling = { prompt: "", length: 200, temperature: 0.8 };
let samples = 0;
const queue = new RequestQueue<Request>();

/** Requests that are answered between two steps; all others end the training first. */
const passes = (request: Request): boolean => ["sample", "checkpoint", "verify"].includes(request.kind);

addEventListener("message", ({ data: request }: MessageEvent<Request>) => {
  // These three take effect at once, whatever is going on.
  if (request.kind === "pause") return training?.abort();
  if (request.kind === "sampling") return void (sampling = request.sampling);
  if (request.kind === "learningRate") {
    if (run) run.learningRate = request.value;
    return;
  }
  if (!passes(request)) training?.abort();
  queue.add(request);
});

void queue.serve(answer);

async function answer(request: Request): Promise<void> {
  try {
    await handle(request);
  } catch (error) {
    reply({ kind: "problem", problem: problemOf(request.kind, error) });
  }
}

async function handle(request: Request): Promise<void> {
  switch (request.kind) {
    case "backend": {
      const present = run;
      await use(request.choice, (fresh) => present?.moveTo(fresh));
      if (run) reply({ kind: "model", model: run.info(), opened: null });
      return;
    }
    case "start":
      await use(request.choice, (fresh) => Run.create(request.settings, request.text, fresh));
      reply({ kind: "model", model: run!.info(), opened: null });
      return train(null);
    case "open":
      await use(request.choice, (fresh) => Run.open(request.file, request.text, fresh));
      reply({ kind: "model", model: run!.info(), opened: request.name });
      return request.andTrain ? train(request.text) : undefined;
    case "resume":
      return train(request.text);
    case "sample":
      return writeSample(request.sampling);
    case "checkpoint":
      return sendCheckpoint(true);
    case "verify": {
      checkSettings(request.settings);
      const model = run?.model ?? makeModel(request.settings, 64);
      return reply({ kind: "verify", report: await checkDevice(model, device.backend, run?.info().settings ?? request.settings) });
    }
    case "pause":
    case "sampling":
    case "learningRate":
  }
}

/** The run that `make` makes, on a fresh backend. */
async function use(choice: BackendChoice, make: (fresh: Backend) => Run | undefined | Promise<Run | undefined>): Promise<void> {
  run = await device.exchange(choice, make);
}

async function train(text: Text | null): Promise<void> {
  if (!run) throw new RnnError("option", "Continue", "there is no model yet; start a training or open a checkpoint");
  const { batch, window } = run.info().settings;
  const control = (training = new AbortController());
  const speed = new Speed(batch * window);
  let unsent: StepReport[] = [];
  let [sent, saved, nextSample] = [0, -Infinity, -Infinity];
  const send = (): void => {
    if (unsent.length > 0) reply({ kind: "progress", steps: unsent, charactersPerSecond: speed.value });
    unsent = [];
    sent = performance.now();
  };
  reply({ kind: "state", state: "training" });
  try {
    await run.train(text, control.signal, async (report) => {
      unsent.push(report);
      const began = performance.now();
      if (began - sent > progressEvery) send();
      if (began - saved > safeCopyEvery) {
        await sendCheckpoint(false);
        saved = performance.now();
      }
      for (let request = queue.takeIf(passes); request; request = queue.takeIf(passes)) await answer(request);
      if (began > nextSample && !control.signal.aborted) {
        const start = performance.now();
        await writeSample(sampling, report.loss, control.signal);
        nextSample = performance.now() + Math.max(sampleEvery, 9 * (performance.now() - start));
      }
      // Counted behind the first sample, which would make the first seconds look slow.
      speed.step();
    });
    await sendCheckpoint(false);
  } catch (error) {
    reply({ kind: "problem", problem: problemOf("training", error) });
  } finally {
    send();
    training = undefined;
    reply({ kind: "state", state: "paused" });
  }
}

async function writeSample(how: Sampling, loss: number | null = null, signal?: AbortSignal): Promise<void> {
  if (!run) throw new RnnError("option", "Sample", "there is no model yet; start a training or open a checkpoint");
  const { known, unknown } = run.knownPart(how.prompt);
  const about = { kind: "sample", id: ++samples, step: run.step, loss, prompt: known, leftOut: unknown, temperature: how.temperature } as const;
  for await (const piece of run.write({ ...how, prompt: known }, signal)) {
    reply({ ...about, piece, done: false });
    // On the CPU nothing else would let messages in.
    await new Promise((resolve) => setTimeout(resolve));
  }
  reply({ ...about, piece: "", done: true });
}

async function sendCheckpoint(asked: boolean): Promise<void> {
  if (!run) throw new RnnError("option", "Checkpoint", "there is no model yet; start a training or open a checkpoint");
  const file = await run.checkpoint();
  reply({ kind: "checkpoint", file, step: run.step, asked }, [file.buffer]);
}

function reply(message: Reply, transfer: Transferable[] = []): void {
  postMessage(message, { transfer });
}
