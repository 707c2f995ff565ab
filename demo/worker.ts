/**
 * The worker, which computes everything. Requests wait in a queue and are answered in order. Training is one of them;
 * between two steps it lets requests that need the model pass (a sample, a checkpoint, a check). A file is opened
 * between two steps too: training ends only when everything in the file is valid.
 */
import { RnnError } from "webgpu-rnn";
import { checkDevice } from "./device-check.ts";
import type { Reply, Request, Sampling, StepReport } from "./messages.ts";
import { makeModel } from "./model.ts";
import { Run } from "./run.ts";
import { checkSampling, checkSettings } from "./settings.ts";
import { checkParameters } from "./size.ts";
import { Speed } from "./speed.ts";
import { Device, problemOf, RequestQueue } from "./worker-parts.ts";

const progressEvery = 100;
const safeCopyEvery = 20_000;
/** Least time between two samples; samples take at most a tenth of the time. */
const sampleEvery = 2500;
/** Characters of a stand-in text, for checking a device before any training. */
const someCharacters = 64;

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

/** `adopt`: the model of a file is ready to take the place of the present one. */
type Task =
  | Request
  | { readonly kind: "adopt"; readonly opened: Run; readonly adopt: () => void; readonly request: Extract<Request, { kind: "open" }> };
const queue = new RequestQueue<Task>();

/** Tasks that are done between two steps; all others end the training first. */
const passes = ({ kind }: Task): boolean => ["sample", "checkpoint", "verify", "open"].includes(kind);

addEventListener("message", ({ data: request }: MessageEvent<Request>) => {
  // These three take effect at once, even during another request.
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

async function answer(task: Task): Promise<void> {
  try {
    await handle(task);
  } catch (error) {
    reply({ kind: "problem", problem: problemOf(task.kind === "adopt" ? "open" : task.kind, error) });
  }
}

async function handle(task: Task): Promise<void> {
  switch (task.kind) {
    case "backend": {
      const present = run;
      run = await device.exchange(task.choice, (fresh) => present?.moveTo(fresh));
      if (run) reply({ kind: "model", model: run.info(), opened: null });
      return;
    }
    case "start":
      run = await device.exchange(task.choice, (fresh) =>
        Run.create(task.settings, task.text, fresh, (planned) => reply({ kind: "planned", planned })),
      );
      reply({ kind: "model", model: run.info(), opened: null });
      return train();
    case "open": {
      const { made: opened, adopt } = await device.prepare(task.choice, (fresh) => Run.open(task.file, task.text, fresh));
      training?.abort();
      return queue.addFirst({ kind: "adopt", opened, adopt, request: task });
    }
    case "adopt": {
      task.adopt();
      run = task.opened;
      const { learningRate, name, andTrain } = task.request;
      if (learningRate !== undefined) run.learningRate = learningRate;
      reply({ kind: "model", model: run.info(), opened: name });
      await sendCheckpoint(false);
      return andTrain && run.info().hasText ? train() : undefined;
    }
    case "resume":
      if (task.text) run?.read(task.text);
      return train();
    case "sample":
      return writeSample(task.sampling);
    case "checkpoint":
      return sendCheckpoint(task.asked);
    case "verify": {
      checkSettings(task.settings);
      checkParameters(task.settings, someCharacters);
      const model = run?.model ?? makeModel(task.settings, someCharacters);
      return reply({ kind: "verify", report: await checkDevice(model, device.backend, run?.info().settings ?? task.settings) });
    }
    case "pause":
    case "sampling":
    case "learningRate":
  }
}

async function train(): Promise<void> {
  if (!run) throw new RnnError("option", "Continue", "there is no model yet; start a training or open a checkpoint");
  const { batch, window } = run.info().settings;
  const control = (training = new AbortController());
  const speed = new Speed(batch * window);
  let unsent: StepReport[] = [];
  // A training in progress has a copy to continue from.
  let [sent, saved, nextSample] = [0, run.step === 0 ? -Infinity : performance.now(), -Infinity];
  const send = (): void => {
    if (unsent.length > 0) reply({ kind: "progress", steps: unsent, charactersPerSecond: speed.value });
    unsent = [];
    sent = performance.now();
  };
  reply({ kind: "state", state: "training", textName: run.textName });
  try {
    await run.train(control.signal, async (report) => {
      unsent.push(report);
      const began = performance.now();
      if (began - sent > progressEvery) send();
      if (began - saved > safeCopyEvery) {
        await sendCheckpoint(false);
        saved = performance.now();
      }
      for (let task = queue.takeIf(passes); task; task = queue.takeIf(passes)) await answer(task);
      if (began > nextSample && !control.signal.aborted) {
        const start = performance.now();
        await writeSample(sampling, report.loss, control.signal).catch((error: unknown) => {
          // A sample's wrong settings must not end the training. If the device is lost, the next step will report it.
          reply({ kind: "problem", problem: problemOf("sample", error) });
        });
        nextSample = performance.now() + Math.max(sampleEvery, 9 * (performance.now() - start));
      }
      // Counting starts after the first sample, which would make the first seconds look slow.
      speed.step();
    });
    // Send the reports before the copy that includes them.
    send();
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
  checkSampling(how);
  const { known, unknown } = run.knownPart(how.prompt);
  const about = {
    kind: "sample",
    id: ++samples,
    step: run.step,
    loss,
    prompt: known,
    leftOut: unknown,
    temperature: how.temperature,
  } as const;
  for await (const piece of run.write({ ...how, prompt: known }, signal)) {
    reply({ ...about, piece, done: false });
    // On the CPU, nothing else lets messages arrive.
    await new Promise((resolve) => setTimeout(resolve));
  }
  reply({ ...about, piece: "", done: true });
}

async function sendCheckpoint(asked: boolean): Promise<void> {
  if (!run) throw new RnnError("option", "Checkpoint", "there is no model yet; start a training or open a checkpoint");
  const { step } = run;
  const file = await run.checkpoint();
  reply({ kind: "checkpoint", file, step, asked }, [file.buffer]);
}

function reply(message: Reply, transfer: Transferable[] = []): void {
  postMessage(message, { transfer });
}
