/** Runs an imported model on what a visitor gives, and compares backends. Lives in the worker. */
import { forward, RnnError, type Backend, type ModelInputs, type ModelOutputs, type Tensor } from "webgpu-rnn";
import type { ImportedModel } from "webgpu-rnn/formats";
import { axesOf, compareResults, resultsOf, tryModel, type NamedResult } from "../../scripts/import/trial.ts";
import type { CompareReport, ModelInfo, RunReport, Shown, Source } from "./messages.ts";

/** Most numbers that are drawn of a line, and most lines. */
const mostDrawn = 2000;
const mostLines = 4;
/** Most tokens that a model goes on with. */
const continuation = 160;

export const inWords = (shape: readonly (number | null)[] | undefined): string =>
  shape ? `[${shape.map((size) => size ?? "any").join(", ")}]` : "any";

export class Runner {
  /** The inputs of the last run's first call. */
  private last: ModelInputs;

  private constructor(
    readonly name: string,
    readonly imported: ImportedModel,
    private readonly sample: ModelInputs,
    private backend: Backend,
  ) {
    this.last = sample;
  }

  /** @throws RnnError if there are no inputs that the model takes */
  static async create(name: string, given: ImportedModel, backend: Backend): Promise<Runner> {
    const { imported, inputs } = await tryModel(given, backend);
    return new Runner(name, imported, inputs, backend);
  }

  on(backend: Backend): this {
    this.backend = backend;
    return this;
  }

  get inputs(): ModelInputs {
    return this.sample;
  }

  /** The first input's shape in the sample. */
  private get shape(): readonly number[] {
    return (this.sample.input as Tensor).shape;
  }

  /** Numbers of a step; of an input of two axes, a step is one number. */
  private get features(): number {
    const { shape } = this;
    return this.ids === undefined && shape.length > 2 ? shape.slice(2).reduce((all, size) => all * size, 1) : 1;
  }

  private get ids(): number | undefined {
    return this.imported.inputs[0].ids;
  }

  get info(): ModelInfo {
    const { model, format, report, inputs, outputs, tokens } = this.imported;
    return {
      name: this.name,
      format,
      parameters: model.parameterCount,
      layers: report,
      inputs: inputs.map(({ name, shape, ids }) => ({
        name,
        sizes: ids !== undefined && ids < 2 ** 31 ? `${inWords(shape)} of ${ids} ids` : inWords(shape),
      })),
      outputs: outputs.map(({ name, shape }) => ({ name, sizes: shape?.length ? inWords(shape) : "" })),
      ids: this.ids,
      features: this.features,
      hasTokens: tokens !== undefined,
    };
  }

  async run(source: Source): Promise<RunReport> {
    const began = performance.now();
    const { calls, outputs, first, steps } = await this.runCalls(source);
    const milliseconds = performance.now() - began;
    const results = resultsOf(this.imported, outputs);
    const text = source.kind === "text" ? await this.goOn(outputs) : undefined;
    const what = source.kind === "sample" ? `a sample ${inWords(this.shape)}` : `${steps} steps`;
    return {
      on: `${what} on ${this.backend.adapter}`,
      calls,
      milliseconds,
      results: results.map(shown),
      ...drawnOf(first, this.imported),
      continuation: text,
    };
  }

  /** One call, or several with the states carried on if the model takes so many steps at a time. */
  private async runCalls(source: Source) {
    const { backend } = this;
    const { model } = this.imported;
    const values = this.valuesOf(source);
    const parts = values ? this.cut(values) : [this.sample];
    const first: Tensor[] = [];
    let outputs: ModelOutputs | undefined;
    for (const part of parts) {
      const state = outputs && Object.keys(outputs.state).length > 0 ? { state: outputs.state } : {};
      outputs = await forward(model, { ...part, ...state }, { backend });
      first.push(outputs.output);
    }
    this.last = parts[0];
    return { calls: parts.length, outputs: outputs!, first, steps: values ? values.length / this.features : 0 };
  }

  private valuesOf(source: Source): Float32Array | Uint32Array | undefined {
    if (source.kind === "sample") return undefined;
    const { ids, features } = this;
    if (source.kind === "text") return this.encode(source.text);
    if (source.columns !== features && source.columns !== 1)
      throw new RnnError("data", source.name, `it has ${source.columns} numbers a row, and the model reads ${features} a step`);
    if (source.values.length === 0 || source.values.length % features !== 0)
      throw new RnnError("data", source.name, `it has ${source.values.length} numbers, and the model reads ${features} a step`);
    if (ids === undefined) return source.values;
    const wrong = source.values.find((id) => !(Number.isInteger(id) && id >= 0 && id < ids));
    if (wrong !== undefined) throw new RnnError("data", source.name, `the model reads ids from 0 to ${ids - 1}, got ${wrong}`);
    return Uint32Array.from(source.values);
  }

  private encode(text: string): Uint32Array {
    const { tokens } = this.imported;
    const { ids } = this;
    if (ids === undefined) throw new RnnError("data", "The text", "this model reads numbers, no text");
    if (text === "") throw new RnnError("data", "The text", "it is empty");
    return Uint32Array.from(Array.from(text), (letter) => {
      const id = tokens ? tokens.indexOf(letter) : letter.codePointAt(0)!;
      if (id < 0 || id >= ids) {
        const why = tokens ? "which the model does not know" : `whose code is not below the model's ${ids} ids; give ids as a table`;
        throw new RnnError("data", "The text", `it has ${JSON.stringify(letter)}, ${why}`);
      }
      return id;
    });
  }

  /** The inputs of each call: all steps at once where the file leaves their number open, else as many as it says. */
  private cut(values: Float32Array | Uint32Array): ModelInputs[] {
    const { features, shape, imported } = this;
    const declared = imported.inputs[0].shape;
    const { steps: axis = 0 } = axesOf(imported, imported.inputs[0]);
    const isFrame = this.ids === undefined && shape.length === 2;
    const total = values.length / features;
    // The length of a frame has a meaning, which the sample has found.
    const steps = isFrame || (declared && declared[axis] !== null) ? shape[axis] : total;
    if (total < steps) throw new RnnError("data", "The input", `it has ${total} steps, and the model reads ${steps} at a time`);
    return Array.from({ length: Math.floor(total / steps) }, (_, i) => {
      const data = values.slice(i * steps * features, (i + 1) * steps * features);
      const sizes = shape.map((size, at) => (at === axis ? steps : size));
      const further = Object.fromEntries(
        Object.entries(this.sample.further ?? {}).map(([path, one]) => [path, this.fitted(path, one as Tensor, steps)]),
      );
      return { input: { shape: sizes, data }, further, ...(i === 0 && { state: this.sample.state && {} }) };
    });
  }

  /** Lengths of rows are those of the input. */
  private fitted(path: string, given: Tensor, steps: number): Tensor {
    const isLengths = this.imported.inputs.find((one) => one.path === path)?.ids === 2 ** 31;
    return isLengths ? { shape: given.shape, data: Uint32Array.from(given.data, () => steps) } : given;
  }

  /** The likeliest tokens one after the other, if the outputs are scores of tokens and the states can go on. */
  private async goOn(outputs: ModelOutputs): Promise<string | undefined> {
    const { tokens, model } = this.imported;
    if (!tokens || Object.keys(outputs.state).length === 0) return undefined;
    let text = "";
    for (let now = outputs; text.length < continuation;) {
      const scores = now.output.data.subarray(-tokens.length);
      const id = scores.indexOf(Math.max(...scores));
      text += tokens[id];
      const input = { shape: this.shape.map(() => 1), data: Uint32Array.of(id) };
      now = await forward(model, { input, state: now.state }, { backend: this.backend });
    }
    return text;
  }

  /** The last run's first call on both backends. */
  async compare(other: Backend): Promise<CompareReport> {
    const run = async (backend: Backend): Promise<NamedResult[]> =>
      resultsOf(this.imported, await forward(this.imported.model, this.last, { backend }));
    const here = await run(this.backend);
    const there = await run(other);
    return { ...compareResults(here, there), backends: [this.backend.adapter, other.adapter] };
  }
}

function shown({ name, tensor: { shape, data } }: NamedResult): Shown {
  let [least, most, sum] = [Infinity, -Infinity, 0];
  for (const value of data) {
    least = Math.min(least, value);
    most = Math.max(most, value);
    sum += value;
  }
  return { name, sizes: inWords(shape), least, mean: sum / data.length, most };
}

/** The first features of an output by step, one call after the other, and how many it has. */
function drawnOf(outputs: readonly Tensor[], imported: ImportedModel): Pick<RunReport, "lines" | "features"> {
  const { shape } = outputs[0];
  const { batch } = axesOf(imported, { name: "", path: "output", shape });
  // Of [1, steps, features] or [steps, 1, features]; of [1, features], each call is a step.
  const features = shape.length > 1 ? shape[shape.length - 1] : 1;
  const all = Float32Array.from(outputs.flatMap(({ data }) => [...data]));
  const steps = all.length / features;
  // One step of many features, as of a spectrum: they are the line.
  if (steps === 1 && features > mostLines && batch === 0) return { lines: [all.slice(0, mostDrawn)], features: 1 };
  const every = Math.max(1, Math.ceil(steps / mostDrawn));
  const lines = Array.from({ length: Math.min(features, mostLines) }, (_, feature) =>
    Float32Array.from({ length: Math.ceil(steps / every) }, (__, i) => all[i * every * features + feature]),
  );
  return { lines, features };
}
