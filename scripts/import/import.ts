// `npm run import -- FILE… [flags]`: says what is in a file of another program, and tries it on both backends. See --help.
import { readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { createBackend, encodeSafetensors, forward, RnnError, type Backend, type Tensor } from "webgpu-rnn";
import { readTensors, type ImportedModel, type ImportedNode } from "webgpu-rnn/formats";
import { readCommandLine } from "../command-line.mjs";
import { absolute, checkOutput, readBytes, sameFile, writeOutput, type Output } from "../files.ts";
import { UserError } from "../user-error.ts";
import { readModel } from "./read-model.ts";
import { sizes, table } from "./table.ts";
import { compareResults, resultsOf, tryModel } from "./trial.ts";
import { writeModel, writeOnnx } from "./write-model.ts";

const help = `npm run import -- FILE… [flags]

Reads a model of another program (ONNX, Keras, tensorflow.js, PyTorch, RTNeural, Neural Amp Modeler, TensorFlow 1),
lists its layers, inputs and states, and compares a run on WebGPU with one on the CPU. Give all files of a model that has
several, or their folder. Weights alone, as PyTorch's, need a description of the layers beside them, a JSON file such as
{"@": "Sequential", "of": [{"rnn": {"@": "LSTM", "of": [4, 8]}, "fc": {"@": "Linear", "of": [8, 2]}}]}.

  --out FILE            where the model goes: FILE.onnx as ONNX, any other name as safetensors
  --constant NAME=X     an input of an ONNX graph that always has this value; may be given again
  --all                 list the constants and views of an ONNX graph too
  --help                this text

Exit codes: 0 read, and both backends agree; 1 it cannot be read, or they differ; 2 wrong usage.
`;

interface CommandLine {
  readonly help: boolean;
  readonly files: readonly string[];
  readonly out: string | undefined;
  readonly all: boolean;
  readonly constants: Record<string, number> | undefined;
}

/** @throws UserError */
function parse(args: readonly string[]): CommandLine {
  const usage = (message: string): UserError => new UserError(`${message} (npm run import -- --help lists all flags)`, 2);
  let read: ReturnType<typeof readCommandLine>;
  try {
    read = readCommandLine(
      args,
      { out: { type: "string" }, constant: { type: "string", multiple: true }, all: { type: "boolean" } },
      { words: Infinity },
    );
  } catch (error) {
    throw usage((error as Error).message);
  }
  const { out, constant, all = false } = read.values as { out?: string; constant?: string[]; all?: boolean };
  if (!read.help && read.words.length === 0) throw usage("FILE is missing");
  const constants = constant?.map((text): [string, number] => {
    const [, name, value] = /^(.+)=(.+)$/s.exec(text) ?? [];
    if (name === undefined || !Number.isFinite(Number(value)))
      throw usage(`--constant must be a name and a number, such as sr=16000, got ${JSON.stringify(text)}`);
    return [name, Number(value)];
  });
  return { help: read.help, files: read.words, out, all, constants: constants && Object.fromEntries(constants) };
}

/** The paths, with the files in those that are folders. */
async function filesIn(paths: readonly string[]): Promise<string[]> {
  const lists = paths.map(async (path) => {
    const found = await stat(absolute(path)).catch(() => undefined);
    if (!found?.isDirectory()) return [path];
    return (await readdir(absolute(path), { withFileTypes: true })).filter((one) => one.isFile()).map(({ name }) => join(path, name));
  });
  return (await Promise.all(lists)).flat();
}

type Files = Readonly<Record<string, Uint8Array>>;

async function readFiles(paths: readonly string[]): Promise<Files> {
  return Object.fromEntries(
    await Promise.all(paths.map(async (path) => [basename(path), await readBytes(JSON.stringify(path), path)] as const)),
  );
}

/** Nodes of an ONNX graph of which there are many, and which compute nothing when the model runs. */
const silent: Readonly<Record<string, (became: string) => boolean>> = {
  constants: (became) => became.startsWith("a constant"),
  views: (became) => became === "a view",
  "that no output needs": (became) => became.startsWith("nothing"),
};

function describe(imported: ImportedModel, all: boolean): void {
  const { format, report, inputs, outputs, model } = imported;
  console.log(`format ${format}, ${model.parameterCount.toLocaleString("en")} parameters\n`);
  const kindOf = ({ became, parameters }: ImportedNode): string | undefined =>
    all || parameters > 0 ? undefined : Object.keys(silent).find((kind) => silent[kind](became));
  const rows = report.filter((node) => kindOf(node) === undefined);
  const cells = rows.map(({ name, kind, became, parameters }) => [name, kind, became, parameters]);
  console.log(table(["layer", "kind", "is now", "parameters"], cells));
  const others = Object.keys(silent)
    .map((kind) => ({ kind, count: report.filter((node) => kindOf(node) === kind).length }))
    .filter(({ count }) => count > 0);
  console.log(others.length > 0 ? `  and ${others.map(({ kind, count }) => `${count} ${kind}`).join(", ")} (--all lists them)\n` : "");
  const states = inputs.filter(({ path }) => path.startsWith("state."));
  const values = (what: string, list: ImportedModel["inputs"]): (string | number)[][] =>
    list.map(({ name, shape, ids, path }) => [
      what,
      name,
      ids === undefined || ids >= 2 ** 31 ? sizes(shape) : `${sizes(shape)} of ${ids} ids`,
      path,
    ]);
  const ports = [
    ...values(
      "input",
      inputs.filter((one) => !states.includes(one)),
    ),
    ...values("state", states),
    ...values(
      "output",
      outputs.filter(({ path }) => !path.startsWith("state.")),
    ),
  ];
  if (ports.length > 0) console.log(`${table(["", "name", "sizes", "in forward"], ports)}\n`);
}

/** Where no device is, plain code stands in for it, so that at least the WebAssembly is checked. */
async function otherBackend(): Promise<Backend> {
  try {
    return await createBackend("webgpu");
  } catch (error) {
    if (!(error instanceof RnnError)) throw error;
    console.log(`no WebGPU here (${error.message}); compared with plain code on the CPU instead`);
    return createBackend("cpu", { wasm: false });
  }
}

/** Whether both backends compute the same, and the model with the inputs that it was run with. */
async function check(imported: ImportedModel): Promise<{ tried: ImportedModel; agrees: boolean }> {
  const backend = await createBackend("cpu");
  const { imported: tried, inputs, outputs } = await tryModel(imported, backend);
  const results = resultsOf(tried, outputs);
  const shown = results.map(({ name, tensor: { shape } }) => `${name} ${sizes(shape)}`).join(", ");
  console.log(`run with ${sizes((inputs.input as Tensor).shape)}: gives ${shown}\non ${backend.adapter}`);
  const other = await otherBackend();
  console.log(`and on ${other.adapter}`);
  const others = resultsOf(tried, await forward(imported.model, inputs, { backend: other }));
  for (const one of [backend, other]) one.destroy();
  const { agrees, worst, where, count } = compareResults(others, results);
  const place = worst === 0 ? "" : `, in ${where}`;
  console.log(`${agrees ? "both agree" : "they DIFFER"}: ${count} numbers, greatest difference ${worst.toExponential(1)}${place}`);
  return { tried, agrees };
}

/** Lists a file of weights alone. Undefined for other files. */
async function listWeights(files: Files): Promise<Uint8Array | undefined> {
  const [file, ...others] = Object.values(files);
  const weights = others.length > 0 ? undefined : await readTensors(file).catch(() => undefined);
  if (!weights) return undefined;
  const rows = Object.entries(weights).map(([name, { shape, data }]) => [name, sizes(shape), data.length]);
  console.log(`weights without a description of the layers\n\n${table(["tensor", "sizes", "numbers"], rows)}\n`);
  console.log(
    'To run them, give a description too, a JSON file such as {"@": "Sequential", "of": [{"rnn": {"@": "LSTM", "of": [4, 8]}}]},',
  );
  console.log("or make the model with parameters of these names: importModel(file, { model })");
  return encodeSafetensors(weights);
}

/** The model as an ONNX graph, or as a file that `loadModel` reads, or its weights alone. */
async function fileOf(model: ImportedModel, isOnnx: boolean): Promise<Uint8Array> {
  if (isOnnx) return writeOnnx(model);
  const { file, problem } = await writeModel(model.model);
  if (problem !== "") console.log(`only weights can be written (${problem})`);
  return file;
}

async function main(args: readonly string[]): Promise<number> {
  const { help: asked, files: paths, out, all, constants } = parse(args);
  if (asked) {
    console.log(help);
    return 0;
  }
  let output: Output | undefined;
  if (out !== undefined) {
    for (const path of paths)
      if (await sameFile(out, path)) throw new UserError(`--out would overwrite the model, ${JSON.stringify(path)}`, 2);
    output = await checkOutput("--out", out);
  }
  const files = await readFiles(await filesIn(paths));
  const read = await readModel(files, constants).catch((error: unknown) => error);
  const weights = read instanceof RnnError ? await listWeights(files) : undefined;
  if (!weights && read instanceof Error) throw read;
  const imported = weights ? undefined : (read as ImportedModel);
  if (imported) describe(imported, all);
  const { tried, agrees } = imported ? await check(imported) : { tried: undefined, agrees: true };
  if (output) {
    const isOnnx = /\.onnx$/i.test(out!);
    if (!tried && isOnnx) throw new UserError("an ONNX file has the layers too; give a description of them beside the weights");
    await writeOutput(output, tried ? await fileOf(tried, isOnnx) : weights!);
    console.log(`wrote ${out}`);
  }
  return agrees ? 0 : 1;
}

function lineOf(error: unknown): string {
  if (error instanceof RnnError && error.message.includes("give constants:")) return `import: ${error.message}; here, --constant NAME=X\n`;
  if (error instanceof UserError || error instanceof RnnError) return `import: ${error.message}\n`;
  return `import: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(lineOf(error));
  process.exitCode = error instanceof UserError ? error.exitCode : 1;
}
