// `npm run train -- [FILE] [flags]`: trains a character model in the terminal. See --help.
import { RnnError, type Evaluation, type Recovered } from "webgpu-rnn";
import { mobyDick } from "../moby-dick.mjs";
import { display, printable, short } from "./display.ts";
import { checkOutput, readBytes, readText, sameFile, writeOutput, type Output } from "../files.ts";
import { completeOptions, help, parseCommandLine, type Options } from "./options.ts";
import { readResumed, Run } from "./run.ts";
import { UserError } from "../user-error.ts";

type Stopped = "done" | "interrupted" | "failed";

interface Outputs {
  out?: Output;
  json?: Output;
}

/** @throws UserError if an output cannot be written or would overwrite another file of this run */
async function checkOutputs({ out, json, resume }: Partial<Options>, file: string | undefined): Promise<Outputs> {
  if (out !== undefined && json !== undefined && (await sameFile(out, json)))
    throw new UserError(`--out and --json name the same file, ${JSON.stringify(out)}`, 2);
  if (json !== undefined && resume !== undefined && (await sameFile(json, resume)))
    throw new UserError(`--json would overwrite the file of --resume, ${JSON.stringify(resume)}`, 2);
  const result: Outputs = {};
  for (const [name, path] of [
    ["out", out],
    ["json", json],
  ] as const) {
    if (path === undefined) continue;
    if (file !== undefined && (await sameFile(path, file)))
      throw new UserError(`--${name} would overwrite the text, ${JSON.stringify(file)}`, 2);
    result[name] = await checkOutput(`--${name}`, path);
  }
  return result;
}

/**
 * The first Ctrl-C (or SIGTERM, or a reader that has gone away) asks for the end after the present step. npm passes
 * the terminal's signal on once more, so what comes within a moment counts as the same one; after that the default
 * holds again, and the next ends the program at once.
 */
function interruption(): AbortController {
  const controller = new AbortController();
  const stop = (signal: string): void => {
    if (controller.signal.aborted) return;
    controller.abort(signal);
    process.stderr.write("\ntrain: stopping after this step; once more to end at once\n");
    setTimeout(() => process.off("SIGINT", stop).off("SIGTERM", stop), 300).unref();
  };
  process.on("SIGINT", stop).on("SIGTERM", stop);
  process.stdout.on("error", () => controller.abort("EPIPE"));
  process.stderr.on("error", () => undefined);
  return controller;
}

const mean = (values: readonly number[]): number | null =>
  values.length === 0 ? null : values.reduce((sum, x) => sum + x, 0) / values.length;

async function reportOf(
  run: Run,
  file: string | undefined,
  stopped: Stopped,
  error: Error | undefined,
  validation: Evaluation | undefined,
): Promise<string> {
  const { backend, losses, seconds, options } = run;
  return (
    JSON.stringify(
      {
        text: file ?? "Moby Dick (bundled)",
        characters: run.characters,
        vocabulary: run.vocabulary.size,
        backend: backend.kind,
        adapter: backend.adapter,
        reason: backend.reason,
        parameters: run.model.parameterCount,
        memory: await run.plannedMemory(),
        options,
        firstStep: run.firstStep,
        steps: losses.length,
        losses,
        finalLoss: mean(losses.slice(-20)),
        validation,
        seconds,
        tokensPerSecond: seconds > 0 ? (losses.length * run.tokensPerStep) / seconds : null,
        prompt: run.prompt,
        sample: run.sample,
        stopped,
        error: error?.message,
      },
      null,
      1,
    ) + "\n"
  );
}

async function announce(run: Run, file: string | undefined): Promise<void> {
  const { options, backend, vocabulary, model } = run;
  const { cell, layers, embedding, hidden } = options;
  console.log(`text     ${file ?? "Moby Dick (bundled)"}: ${short(run.characters)} characters, ${vocabulary.size} different`);
  console.log(`model    ${cell}, embedding ${embedding}, ${layers} x ${hidden} units, ${short(model.parameterCount)} parameters`);
  console.log(`backend  ${backend.kind} on ${backend.adapter} (${backend.reason})`);
  console.log(`memory   ${((await run.plannedMemory()).total / 2 ** 20).toFixed(1)} MiB on the device in training`);
  if (run.firstStep > 0) console.log(`resumed  after step ${run.firstStep}`);
}

const noteOf = ({ step, reason, backend }: Recovered): string =>
  `the device was lost (${reason}); going on from a copy after step ${step}, on ${backend}`;

async function train(run: Run, outputs: Outputs, signal: AbortSignal): Promise<void> {
  const { steps, "save-every": saveEvery } = run.options;
  if (steps === 0) return;
  const shown = display(steps);
  try {
    await run.train(signal, async ({ loss, tokensPerSecond, recovered }) => {
      if (recovered) shown.note(noteOf(recovered));
      shown.update(run.losses.length, loss, tokensPerSecond);
      if (saveEvery > 0 && outputs.out && run.losses.length % saveEvery === 0) await writeOutput(outputs.out, await run.checkpoint());
    });
  } finally {
    shown.end();
  }
}

async function validate(run: Run): Promise<Evaluation | undefined> {
  const result = await run.validate();
  if (result) console.log(`validation loss ${result.loss.toFixed(4)}, ${result.bitsPerCharacter.toFixed(3)} bits per character`);
  return result;
}

async function draw(run: Run, signal: AbortSignal): Promise<void> {
  if (run.options.sample === 0) return;
  console.log(`\nsample at temperature ${run.options.temperature}:\n`);
  process.stdout.write(printable(run.prompt));
  await run.draw(signal, (piece) => process.stdout.write(printable(piece)));
  console.log();
}

async function main(args: readonly string[]): Promise<number> {
  const commandLine = parseCommandLine(args);
  if (commandLine.help) {
    console.log(help);
    return 0;
  }
  const { file, given } = commandLine;
  const outputs = await checkOutputs(given, file);
  const resumed =
    given.resume === undefined
      ? undefined
      : readResumed(given.resume, await readBytes(`--resume ${JSON.stringify(given.resume)}`, given.resume));
  const options = completeOptions(given, resumed?.options);
  const text = file === undefined ? mobyDick() : await readText(file);
  const run = await Run.prepare(text, options, resumed);
  await announce(run, file);
  if (resumed && Run.changesText(text, resumed)) console.log("note     this is not the text that the resumed run has read so far");

  const controller = interruption();
  const { signal } = controller;
  let stopped: Stopped = "done";
  let failure: Error | undefined;
  let validation: Evaluation | undefined;
  /** Continues with the next task if one fails, so that everything possible is saved. */
  const attempt = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      if (failure !== undefined) process.stderr.write(lineOf(error));
      failure ??= error as Error;
      stopped = "failed";
    }
  };
  await attempt(() => train(run, outputs, signal));
  await attempt(async () => {
    if (!outputs.out) return;
    await writeOutput(outputs.out, await run.checkpoint());
    console.log(`wrote    ${options.out!}`);
  });
  const goesOn = (): boolean => failure === undefined && !signal.aborted;
  if (goesOn()) await attempt(async () => void (validation = await validate(run)));
  if (goesOn()) await attempt(() => draw(run, signal));
  if (signal.aborted && stopped === "done") stopped = "interrupted";
  await attempt(async () => {
    if (outputs.json) await writeOutput(outputs.json, await reportOf(run, file, stopped, failure, validation));
  });
  run.destroy();
  if (failure !== undefined) throw failure;
  return stopped === "interrupted" ? 130 : 0;
}

/** The printed text of an error. Only an internal error, a bug, shows its stack. */
function lineOf(error: unknown): string {
  if (error instanceof UserError) return `train: ${error.message}\n`;
  if (error instanceof RnnError)
    return `train: ${error.kind === "numeric" ? error.message.slice(error.where.length + 2) : error.message}\n`;
  if (error instanceof RangeError) return `train: out of memory (${error.message}); use a smaller model, --batch or --length\n`;
  return `train: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(lineOf(error));
  process.exitCode = error instanceof UserError ? error.exitCode : 1;
}
