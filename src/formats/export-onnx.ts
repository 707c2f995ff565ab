import { checkBoolean, checkInteger, RnnError, show } from "../errors.ts";
import { Module } from "../nn/module.ts";
import { isA, takeItems, takeOptions } from "../options.ts";
import { Part } from "../part.ts";

const code = new Part("exportOnnx", () => import("./onnx/write/write-model.ts"));

/** Options of `exportOnnx`. */
export interface ExportOptions {
  /** The version of ONNX' operators, 17 to 22 (default 17). A graph that was read from ONNX keeps its own. */
  readonly opset?: number;
  /**
   * Sizes of the input, with names for those that are open: `["batch", 16, "steps"]`. By default they follow from the
   * model, if it begins with an embedding, a recurrent layer, a Linear or a LayerNorm.
   */
  readonly input?: readonly (number | string)[];
  /** Whether the graph has an input `lengths` [batch] (int32) with the steps of each row (default false). */
  readonly lengths?: boolean;
  /**
   * Whether states are inputs and outputs of the graph (default true): `h` and `h.next` behind the layer's path, and so on.
   * Layers that read backwards begin with zeros in any case, as all do with false. An amplifier's LSTM (NAM) begins with its
   * own first states by default.
   */
  readonly states?: boolean;
}

/**
 * Writes a model as an ONNX file for inference: recurrent layers as RNN, GRU and LSTM nodes, one for each layer of a stack;
 * MinGRU, MinLSTM, SLSTM, projections, layer normalization and zoneout as Scan. The input is `input` (ids are int64), the
 * output `output`; batch and steps are open. Numbers are float32. What acts in training only is left out. The parameters
 * are those of the moment of the call. A graph that was read from ONNX goes out as it came in, with these.
 * @throws RnnError `option` that names the module or option which ONNX cannot hold, or for wrong options; `load` if code
 * did not arrive
 */
export async function exportOnnx(model: Module, given: ExportOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
  const where = "exportOnnx";
  if (!isA(model, Module)) throw new RnnError("option", where, `must get a module, got ${show(model)}`);
  const { opset, input, lengths = false, states } = takeOptions(where, given, ["opset", "input", "lengths", "states"]);
  if (opset !== undefined) checkInteger(where, "opset", opset, 17, 22);
  const isSize = (size: unknown): size is number | string =>
    (typeof size === "number" && Number.isSafeInteger(size) && size >= 1) || (typeof size === "string" && /^\w{1,60}$/.test(size));
  const sizes =
    input &&
    takeItems("option", where, "input", "a list of sizes", input, (size, i) => {
      if (!isSize(size) || i > 7) throw new RnnError("option", where, `input must be up to 8 sizes or words, got ${show(size)}`);
      return size;
    });
  checkBoolean(where, "lengths", lengths);
  if (states !== undefined) checkBoolean(where, "states", states);
  const [state, { writeModel }] = await Promise.all([model.stateDict(), code.load()]);
  const parameters = new Map(Object.entries(state).map(([name, { data }]) => [name, data]));
  return writeModel(model, parameters, { opset, input: sizes, lengths, states });
}
