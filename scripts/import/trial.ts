/** Tries a model that was read from a file: inputs of its sizes, one run, and the same run on two backends compared. */
import { forward, RnnError, type Backend, type ModelInputs, type ModelOutputs, type NumericArray, type Tensor } from "webgpu-rnn";
import type { ImportedModel, ImportedValue } from "webgpu-rnn/formats";

/** Ids of which there are so many are lengths, or are of a table that the file does not have. */
const unbounded = 2 ** 31;

/** Sizes that are tried for axes whose size the file leaves open; windows of audio need long ones. */
const guesses = [16, 1, 64, 256, 576, 1024, 4096, 16000];

const numbersIn = (shape: readonly number[]): number => shape.reduce((all, size) => all * size, 1);

/** The axes of an input that are its rows and its steps. */
export interface Axes {
  readonly batch: number | undefined;
  readonly steps: number | undefined;
}

/** Where an input has rows and steps: an input of two axes has no steps unless it is ids. */
export function axesOf({ model }: ImportedModel, { shape, ids }: ImportedValue): Axes {
  const rank = shape?.length ?? 0;
  if (rank < 2) return { batch: undefined, steps: rank === 1 ? 0 : undefined };
  if (rank === 2 && ids === undefined) return { batch: 0, steps: 1 };
  return model.batchFirst || model.saysBatchFirst === undefined ? { batch: 0, steps: 1 } : { batch: 1, steps: 0 };
}

/** The sizes of an input with one row and so many steps. */
export function shapeOf(imported: ImportedModel, value: ImportedValue, steps: number): number[] {
  const { batch } = axesOf(imported, value);
  return (value.shape ?? [1, steps, 1]).map((size, axis) => size ?? (axis === batch ? 1 : steps));
}

/** Numbers between -0.5 and 0.5 that differ from one to the next, or ids. */
function sampleOf(shape: readonly number[], ids: number | undefined): Tensor {
  const length = numbersIn(shape);
  if (ids === undefined) return { shape, data: Float32Array.from({ length }, (_, i) => 0.5 * Math.sin(1 + 0.7 * i)) };
  return { shape, data: Uint32Array.from({ length }, (_, i) => (7 * i + 3) % ids) };
}

/** Puts tensors, in the order of the model's inputs, where `forward` takes them. */
export function inputsOf({ inputs }: Pick<ImportedModel, "inputs">, tensors: readonly Tensor[]): ModelInputs {
  const state: Record<string, Tensor> = {};
  const further: Record<string, Tensor> = {};
  inputs.forEach(({ path }, i) => {
    if (path.startsWith("state.")) state[path.slice("state.".length)] = tensors[i];
    else if (i > 0) further[path] = tensors[i];
  });
  return { input: tensors[0], state, further };
}

/** Inputs of the sizes that the file names, one row, and `steps` where it leaves a size open. */
export function sampleInputs(imported: ImportedModel, steps: number): ModelInputs {
  const tensors = imported.inputs.map((value, i) => {
    const isPerRow = value.path.startsWith("state.") || (i > 0 && value.shape?.length === 1);
    const shape = shapeOf(imported, value, isPerRow ? 1 : steps);
    // Lengths of rows: all steps.
    if (value.ids === unbounded) return { shape, data: new Uint32Array(numbersIn(shape)).fill(i === 0 ? 0 : stepsOf(imported, steps)) };
    return sampleOf(shape, value.ids);
  });
  return inputsOf(imported, tensors);
}

function stepsOf(imported: ImportedModel, steps: number): number {
  const [first] = imported.inputs;
  return shapeOf(imported, first, steps)[axesOf(imported, first).steps ?? 0] ?? steps;
}

/** The inputs and outputs of the model's own where the file does not name them, for each number of features that may fit. */
function portsOf(imported: ImportedModel): ImportedModel[] {
  if (imported.inputs.length > 0) return [imported];
  const { model } = imported;
  const { idCount: ids } = model;
  const features = ids === undefined ? [...model.namedParameters().values()].map(({ shape }) => shape[shape.length - 1]) : [null];
  return [...new Set(features)].map((last) => ({
    ...imported,
    inputs: [{ name: "input", shape: last === null ? [null, null] : [null, null, last], path: "input", ...(ids !== undefined && { ids }) }],
    outputs: [{ name: "output", path: "output" }],
  }));
}

/** A model with the inputs that it took, and what it gave. */
export interface Tried {
  /** With inputs and outputs, also where the file does not name them. */
  readonly imported: ImportedModel;
  readonly inputs: ModelInputs;
  readonly outputs: ModelOutputs;
}

/** Runs a model on sample inputs of the first sizes that it takes. @throws RnnError if it takes none of them */
export async function tryModel(given: ImportedModel, backend: Backend): Promise<Tried> {
  let problem: unknown;
  for (const imported of portsOf(given)) {
    const isOpen = imported.inputs.some(({ shape }) => !shape || shape.includes(null));
    for (const steps of isOpen ? guesses : [1]) {
      const inputs = sampleInputs(imported, steps);
      try {
        return { imported, inputs, outputs: await forward(imported.model, inputs, { backend }) };
      } catch (error) {
        if (!(error instanceof RnnError) || error.kind === "device") throw error;
        problem ??= error;
      }
    }
  }
  throw problem;
}

/** A result of a model, by the file's name for it. */
export interface NamedResult {
  readonly name: string;
  readonly tensor: Tensor;
}

/** The results in the file's order, with its names; of a layer's states those that the file does not name, too. */
export function resultsOf({ outputs }: Pick<ImportedModel, "outputs">, results: ModelOutputs): NamedResult[] {
  const found = new Map<string, Tensor>([
    ["output", results.output],
    ...Object.entries(results.state).map(([path, tensor]) => [`state.${path}`, tensor] as const),
    ...Object.entries(results.further),
  ]);
  const names = new Map(outputs.map(({ path, name }) => [path, name]));
  const order = [...names.keys(), ...[...found.keys()].filter((path) => !names.has(path))];
  return order.flatMap((path) => {
    const tensor = found.get(path);
    return tensor ? [{ name: names.get(path) ?? path, tensor }] : [];
  });
}

/** How two runs of a model agree. */
export interface Comparison {
  /** Whether all numbers are within 1e-5 + 1e-4·|value| of each other. */
  readonly agrees: boolean;
  /** Greatest difference, and the result that it is in. */
  readonly worst: number;
  readonly where: string;
  /** Numbers that were compared. */
  readonly count: number;
}

/** Compares the results of one run with those of another. */
export function compareResults(some: readonly NamedResult[], others: readonly NamedResult[]): Comparison {
  let [agrees, worst, where, count] = [some.length === others.length, 0, "", 0];
  some.forEach(({ name, tensor: { data } }, r) => {
    const other: NumericArray = others[r]?.tensor.data ?? new Float32Array();
    if (other.length !== data.length) agrees = false;
    for (let i = 0; i < data.length; i++) {
      // Two numbers that are none, or equal infinities, agree.
      const difference = Object.is(data[i], other[i]) ? 0 : Math.abs(data[i] - other[i]);
      if (difference !== 0 && !(difference <= 1e-5 + 1e-4 * Math.abs(other[i]))) agrees = false;
      if (!(difference <= worst)) [worst, where] = [difference, name];
    }
    count += data.length;
  });
  return { agrees, worst, where, count };
}
