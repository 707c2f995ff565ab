/** The flags of `npm run train`: one table that parsing, checking, --help and checkpoints share. */
import { parseArgs } from "node:util";
import { suggestion } from "../command-line.mjs";
import { UserError } from "../user-error.ts";

interface Flag<T> {
  /** Stands for the value in --help. */
  readonly placeholder: string;
  readonly help: string;
  readonly fallback: T;
  /** @returns the value, or undefined if the text is none */
  read(text: string): T | undefined;
  /** A description of valid values, for messages: "an integer from 1 to 64". */
  readonly expected: string;
}

const numeral = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

function number(fallback: number, help: string, expected: string, fits: (value: number) => boolean): Flag<number> {
  const read = (text: string): number | undefined => {
    const value = numeral.test(text) ? Number(text) : NaN;
    return Number.isFinite(value) && fits(value) ? value : undefined;
  };
  return { placeholder: "X", help, fallback, read, expected };
}

function integer(least: number, most: number, fallback: number, help: string): Flag<number> {
  const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
  return { ...number(fallback, help, `an integer ${range}`, (v) => Number.isInteger(v) && v >= least && v <= most), placeholder: "N" };
}

function choice<const T extends string>(allowed: readonly T[], fallback: T, help: string): Flag<T> {
  return {
    placeholder: allowed.join("|"),
    help,
    fallback,
    read: (text) => allowed.find((a) => a === text),
    expected: allowed.join(" or "),
  };
}

function text(placeholder: string, help: string): Flag<string | undefined> {
  return { placeholder, help, fallback: undefined, read: (given) => given || undefined, expected: "a text that is not empty" };
}

const many = Number.MAX_SAFE_INTEGER;

const flags = {
  cell: choice(["lstm", "gru", "rnn"], "lstm", "the recurrent cell"),
  reset: choice(["after", "before"], "after", "gru only: reset gate after or before the recurrent product"),
  embedding: integer(1, 16384, 64, "numbers per character"),
  hidden: integer(1, 16384, 128, "units per layer"),
  layers: integer(1, 64, 1, "layers stacked on each other"),
  dropout: number(0, "between layers and before the output, in training", "a number from 0 to below 1", (v) => v >= 0 && v < 1),
  batch: integer(1, 65536, 32, "pieces of the text read side by side"),
  length: integer(1, 65536, 64, "characters of each piece per step"),
  validation: number(0, "part of the text, at its end, kept to measure the model on", "a number from 0 to below 1", (v) => v >= 0 && v < 1),
  optimizer: choice(["adam", "adamw", "nadam", "rmsprop", "sgd"], "adam", "the optimiser"),
  lr: number(0.005, "learning rate", "a number above 0", (v) => v > 0),
  clip: number(5, "greatest norm of the gradients; 0: no limit", "a number of at least 0", (v) => v >= 0),
  backend: choice(["auto", "cpu", "webgpu"], "auto", "auto: WebGPU on a hardware adapter, else the CPU"),
  steps: integer(0, many, 400, "training steps; with --resume, further ones"),
  seed: integer(0, many, 1, "the same seed gives the same run"),
  sample: integer(0, 1_000_000, 300, "characters to draw at the end"),
  temperature: number(0.8, "of the sample: 0 always the likeliest character", "a number of at least 0", (v) => v >= 0),
  prompt: text("TEXT", "what the sample goes on from (default: the text's first character)"),
  out: text("FILE", "where the model goes, as safetensors; can be resumed"),
  "save-every": integer(0, many, 0, "also write --out every N steps"),
  resume: text("FILE", "a file from --out to go on from"),
  json: text("FILE", "where the report goes"),
} satisfies Record<string, Flag<unknown>>;

type Flags = typeof flags;
type Name = keyof Flags;
export type Options = { [N in Name]: Flags[N]["fallback"] };

/** The options that decide a run's numbers; its checkpoint stores them. */
const kept = [
  "cell",
  "reset",
  "embedding",
  "hidden",
  "layers",
  "dropout",
  "batch",
  "length",
  "validation",
  "optimizer",
  "lr",
  "clip",
  "seed",
] as const satisfies readonly Name[];
/** The options among them that may differ when a run is resumed. */
const changeable: readonly Name[] = ["lr", "clip", "dropout"];

const names = Object.keys(flags) as Name[];

export const help = `npm run train -- [FILE] [flags]

Trains a character model on a text file (UTF-8; without FILE, on Moby Dick) and draws a sample from it.

${names
  .map((name) => {
    const { placeholder, help: line, fallback } = flags[name];
    return `  ${`--${name} ${placeholder}`.padEnd(34)} ${line}${fallback === undefined || fallback === 0 ? "" : ` (${fallback})`}`;
  })
  .join("\n")}
  ${"--help".padEnd(34)} this text

Ctrl-C stops after the present step and writes --out and --json; a second one ends at once.
Exit codes: 0 done, 1 failed, 2 wrong usage, 130 stopped by Ctrl-C.
`;

const usage = (message: string): UserError => new UserError(`${message} (npm run train -- --help lists all flags)`, 2);

export interface CommandLine {
  help: boolean;
  file: string | undefined;
  /** The flags that were given. */
  given: Partial<Options>;
}

/** @throws UserError naming the flag, what was expected and what came */
export function parseCommandLine(args: readonly string[]): CommandLine {
  const types = Object.fromEntries(names.map((name) => [name, { type: "string" } as const]));
  const { tokens } = parseArgs({
    args: [...args],
    options: { ...types, help: { type: "boolean", short: "h" } },
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const given: Record<string, unknown> = {};
  const files: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") files.push(token.value);
    if (token.kind !== "option") continue;
    if (token.name === "help") return { help: true, file: undefined, given: {} };
    if (!isName(token.name)) throw usage(`unknown flag ${token.rawName}${suggestion(token.name, names)}`);
    const { value, inlineValue } = token;
    const forgotten = value === undefined || (!inlineValue && value.startsWith("--") && isName(value.slice(2).split("=")[0]));
    if (forgotten) throw usage(`--${token.name} needs a value: ${flags[token.name].expected}`);
    given[token.name] = readValue(token.name, value, usage);
  }
  if (files.length > 1) throw usage(`one FILE at most, got ${files.map((file) => JSON.stringify(file)).join(" and ")}`);
  return { help: false, file: files[0], given };
}

function readValue(name: Name, value: string, failure: (message: string) => UserError): unknown {
  const result = flags[name].read(value);
  if (result === undefined) throw failure(`--${name} must be ${flags[name].expected}, got ${JSON.stringify(value)}`);
  return result;
}

const isName = (name: string): name is Name => Object.hasOwn(flags, name);

/**
 * Given flags, then those of the checkpoint that is resumed, then the defaults.
 * @param resumed the result of `keep`
 * @throws UserError if flags contradict each other or the checkpoint
 */
export function completeOptions(given: Partial<Options>, resumed?: string): Options {
  const before = resumed === undefined ? {} : readKept(resumed);
  for (const name of kept) {
    const [now, then] = [given[name], before[name]];
    if (now === undefined || then === undefined || now === then || changeable.includes(name)) continue;
    throw usage(`--${name} ${now}: the run that --resume goes on with has --${name} ${then}`);
  }
  const defaults = Object.fromEntries(names.map((name) => [name, flags[name].fallback]));
  const options = { ...defaults, ...before, ...given } as unknown as Options;
  if (given.reset !== undefined && options.cell !== "gru") throw usage(`--reset is for --cell gru, got --cell ${options.cell}`);
  if (options["save-every"] > 0 && options.out === undefined) throw usage("--save-every needs --out");
  return options;
}

/** The options that belong into a checkpoint, as text. */
export function keep(options: Options): string {
  return JSON.stringify(Object.fromEntries(kept.map((name) => [name, options[name]])));
}

function readKept(json: string): Partial<Options> {
  const bad = (message: string): UserError => new UserError(`--resume: the file's options cannot be used: ${message}`);
  let values: unknown;
  try {
    values = JSON.parse(json);
  } catch {
    throw bad("they are no JSON");
  }
  if (typeof values !== "object" || values === null) throw bad("they are no JSON object");
  const result: Record<string, unknown> = {};
  for (const name of kept) {
    if (!Object.hasOwn(values, name)) throw bad(`--${name} is missing`);
    result[name] = readValue(name, String((values as Record<string, unknown>)[name]), bad);
  }
  return result;
}
