/** Inputs for models of other programs, of sizes that they take. */
import { forward, type Backend, type ImportedModel, type ModelOutputs, type Tensor } from "webgpu-rnn/static";
import { numbers, sizeOf } from "../device/support.ts";

/** Inputs with this size where a file leaves one open. */
function inputsOf({ inputs }: ImportedModel, guess: number) {
  const values = inputs.map(({ shape = [guess, guess], ids, path }): [string, Tensor] => {
    const sizes = shape.map((size, axis) => size ?? ((axis === 0 && shape.length > 1) || path.startsWith("state.") ? 1 : guess));
    const count = sizeOf(sizes);
    // Lengths are ids without a bound: one step at least, because onnxruntime has other states for rows without any.
    const idAt = (i: number): number => (ids === 2 ** 31 && path !== "input" ? 1 : i % Math.min(ids!, 2));
    const data =
      ids === undefined ? numbers(count, 3).map(path === "var" ? Math.abs : Number) : Int32Array.from({ length: count }, (_, i) => idAt(i));
    return [path, { shape: sizes, data }];
  });
  const of = (start: string): [string, Tensor][] =>
    values.filter(([path]) => path.startsWith(start)).map(([path, value]) => [path.slice(start.length), value]);
  const [[, input], ...others] = values;
  return {
    input,
    state: Object.fromEntries(of("state.")),
    further: Object.fromEntries(others.filter(([path]) => !path.startsWith("state."))),
  };
}

/** Inputs of the first sizes that a model takes, and what it gives. */
export async function tryModel(
  imported: ImportedModel,
  backend: Backend,
): Promise<{ given: ReturnType<typeof inputsOf>; run: ModelOutputs }> {
  let problem: unknown;
  for (const guess of [4, 1, 7, 512, 576]) {
    try {
      const given = inputsOf(imported, guess);
      return { given, run: await forward(imported.model, given, { backend }) };
    } catch (error) {
      problem = error;
    }
  }
  throw problem;
}
