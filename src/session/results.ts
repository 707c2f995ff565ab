/** Where a forward pass puts its results: into arrays of the caller's, or into new ones. */
import type { Backend } from "../backend/backend.ts";
import { RnnError, show } from "../errors.ts";
import { takeEntries, takeOptions } from "../options.ts";
import { sizeOf, type Shape } from "../tensor/shape.ts";
import { typedArrayName } from "../tensor/take.ts";
import type { FloatArray, NumericArray, Tensor } from "../tensor/tensor.ts";
import type { RunContext } from "./run-context.ts";

/** The result of a forward pass. */
export interface ModelOutputs {
  /** In the input's order of steps and batch. */
  output: Tensor<FloatArray>;
  /** Final states by path, each [layers·directions, batch, H]: after the last step of each row. */
  state: Record<string, Tensor<FloatArray>>;
  /** Further results of modules, by path (for example an attention's weights). */
  further: Record<string, Tensor<FloatArray>>;
}

/**
 * Arrays that receive the results of a pass, so that repeated calls allocate none: Float32Array (of a float64 backend
 * Float64Array), as long as the result and apart from each other. Results without one get new arrays.
 */
export interface ResultArrays {
  readonly output?: FloatArray;
  /** By path. */
  readonly state?: Readonly<Record<string, FloatArray>>;
  /** By path. */
  readonly further?: Readonly<Record<string, FloatArray>>;
}

type Taken = Map<string, FloatArray>;

/** Arrays of a checked `into`, by what they receive in words. @throws RnnError `option` unless they are arrays of floats */
export function takeResultArrays(where: string, into: ResultArrays | undefined): Taken {
  const taken: Taken = new Map();
  const add = (name: string, array: unknown): void => {
    if (!["Float32Array", "Float64Array"].includes(typedArrayName(array) ?? ""))
      throw new RnnError("option", where, `into: ${name} must be a Float32Array, got ${show(array)}`);
    taken.set(name, array as FloatArray);
  };
  for (const [kind, given] of Object.entries(takeOptions(`${where}.into`, into, ["output", "state", "further"]))) {
    if (kind === "output") add(kind, given);
    else for (const [path, array] of takeEntries(where, `into.${kind}`, "arrays by path", given)) add(`${kind} "${path}"`, array);
  }
  return taken;
}

/** The results of a pass that has not run yet, and their arrays by the names of the recording's downloads. */
export interface Results {
  readonly outputs: ModelOutputs;
  readonly byDownload: Readonly<Record<string, NumericArray>>;
}

/**
 * @param taken loses the arrays that it has for results
 * @throws RnnError `shape` or `option` if an array in `taken` does not fit the result, or there is no such result
 */
export function resultsOf(context: RunContext, backend: Backend, where: string, taken: Taken = new Map()): Results {
  const byDownload: Record<string, NumericArray> = {};
  const tensorFor = (name: string, shape: Shape): Tensor<FloatArray> => {
    const data = taken.get(name) ?? backend.floats(sizeOf(shape));
    checkFit(where, name, data, shape, backend);
    taken.delete(name);
    return { shape, data };
  };
  const output = tensorFor("output", context.output.shape);
  byDownload.output = output.data;
  const state: Record<string, Tensor<FloatArray>> = {};
  for (const [path, { shape }] of context.states) {
    const { data } = (state[path] = tensorFor(`state "${path}"`, shape));
    const size = data.length / shape[0];
    for (let i = 0; i < shape[0]; i++) byDownload[`final.${path}.${i}`] = data.subarray(i * size, (i + 1) * size);
  }
  const further: Record<string, Tensor<FloatArray>> = {};
  for (const [path, { shape }] of context.emitted) {
    further[path] = tensorFor(`further "${path}"`, shape);
    byDownload[`emitted.${path}`] = further[path].data;
  }
  for (const name of taken.keys()) throw new RnnError("option", where, `into: this model has no result ${name}`);
  return { outputs: { output, state, further }, byDownload };
}

function checkFit(where: string, name: string, data: FloatArray, shape: Shape, { precision }: Backend): void {
  const type = precision === "float64" ? "Float64Array" : "Float32Array";
  const got = typedArrayName(data)!;
  const size = sizeOf(shape);
  if (got !== type || data.length !== size)
    throw new RnnError(
      "shape",
      where,
      `into: ${name} must be a ${type} of ${size} numbers, for the shape [${shape.join(", ")}]; got a ${got} of ${data.length}`,
    );
}
