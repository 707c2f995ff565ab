/** Reads an ONNX file as a model. */
import { Tape, type Variable } from "../../autodiff/tape.ts";
import { clip, listed, RnnError } from "../../errors.ts";
import { Context, type ContextHost } from "../../nn/context.ts";
import { anyCpu } from "../../recording/target.ts";
import { Recording } from "../../recording/recording.ts";
import { sizeOf, type Shape } from "../../tensor/shape.ts";
import { readingFile, type ImportedModel, type ImportOptions } from "../imported.ts";
import { problemOf } from "./fold.ts";
import { everyNode, fail, nameOf, neededNodes, type Graph, type Known, type Node, type Port } from "./graph.ts";
import { OnnxModel } from "./model.ts";
import { loadOperators } from "./operators.ts";
import { takeConstants } from "./ports.ts";
import { readOnnx } from "./read.ts";
import { isRecurrent, recurrentAttributes } from "./recurrent.ts";

/**
 * Reads an ONNX file.
 * @throws RnnError `format` if the file is damaged or holds what cannot be read, by node, operator and attribute;
 * `option` if `constants` do not fit its inputs
 */
export async function importOnnx(bytes: Uint8Array, given: ImportOptions["constants"]): Promise<ImportedModel> {
  const { graph, opset } = await readingFile("onnx", () => readOnnx(bytes));
  const fixed = takeConstants(graph, given);
  return readingFile("onnx", () => modelOf(graph, opset, fixed));
}

async function modelOf(graph: Graph, opset: number, fixed: ReadonlyMap<string, Known>): Promise<ImportedModel> {
  // Recurrent layers and If are no operators of the table.
  const operators = [...everyNode(graph)].map(({ operator }) => operator).filter((name) => name !== "If" && !isRecurrent(name));
  await loadOperators(operators);
  checkNodes(graph);
  const model = new OnnxModel(graph, opset, fixed);
  const { inputs, states } = model;
  await Promise.all(model.furtherCode.map((part) => part.load()));
  const tried = tryOut(model);
  const [first] = model.outputs;
  return {
    model,
    format: "onnx",
    inputs: [
      ...inputs.map(({ port, ids }, i) => ({
        name: port.name,
        shape: shapeOfPort(port),
        ...(ids !== undefined && { ids }),
        path: i === 0 ? "input" : port.name,
      })),
      ...states.map(({ port }) => ({ name: port.name, shape: shapeOfPort(port), path: `state.${port.name}` })),
    ],
    outputs: graph.outputs.map((port) => {
      const state = states.find(({ output }) => output === port);
      return {
        name: port.name,
        shape: shapeOfPort(port),
        path: state ? `state.${state.port.name}` : port === first ? "output" : port.name,
      };
    }),
    report: reportOf(model, tried),
  };
}

const shapeOfPort = ({ shape }: Port): (number | null)[] => (shape ?? []).map((size) => (typeof size === "number" ? size : null));

/** @throws RnnError `format` that names the nodes that cannot be read */
function checkNodes(graph: Graph): void {
  const nodes = [...neededNodes(graph)];
  const problems = nodes.flatMap((node) => {
    const problem = problemOf(node, recurrentAttributes);
    return problem === undefined ? [] : [`${nameOf(node)}: ${problem}`];
  });
  if (problems.length === 0) return;
  const shown = problems.slice(0, 6).join("; ");
  fail(
    `${problems.length} of its ${nodes.length} nodes cannot be read: ${shown}${problems.length > 6 ? ` and ${problems.length - 6} more` : ""}`,
  );
}

/** Records nothing that runs: modules see shapes only. */
class Trial implements ContextHost {
  private readonly recording = new Recording(anyCpu);
  readonly tape = new Tape(this.recording, {});
  readonly training = false;
  readonly random = this.recording.buffer("random", [4], "input", "u32");
  readonly lengths = undefined;
  readonly hasGaps = false;
  readonly outputs: Variable[] = [];

  constructor(
    private readonly model: OnnxModel,
    private readonly shapes: readonly Shape[],
  ) {}

  input(i: number): Variable {
    const { port, ids } = this.model.inputs[i];
    return this.tape.leaf(port.name, this.recording.buffer(`in.${port.name}`, this.shapes[i], "input", ids === undefined ? "f32" : "u32"));
  }
  parameter(path: string): Variable {
    const parameter = this.model.namedParameters().get(path)!;
    return this.tape.leaf(path, this.recording.buffer(path, parameter.deviceShape, "external"));
  }
  further(path: string): Variable | undefined {
    const i = this.model.inputs.findIndex(({ port }) => port.name === path);
    return i < 0 ? undefined : this.input(i);
  }
  emit(): void {}
  scheduled(): never {
    return fail("its nodes have no schedules");
  }
  initialState(): undefined {
    return undefined;
  }
  finalState(): void {}
  startsFrom(): void {}
}

/** What a trial found: the nodes that ran, with the commands they took; undefined if no sizes that were tried fit. */
type Tried = ReadonlyMap<Node, number | undefined> | undefined;

/** Sizes that are tried for axes whose size the file leaves open. */
const guesses = [1, 2, 7, 16, 128, 576, 1024, 4096, 16000];

/**
 * Records the model for sizes that the file names or that are guessed, so that what cannot be read is found at once.
 * @throws RnnError `format` for what cannot be read whatever the sizes
 */
function tryOut(model: OnnxModel): Tried {
  const isOpen = model.inputs.some(({ port }) => port.shape?.every((size) => typeof size === "number") !== true);
  let problem: unknown;
  for (const guess of isOpen ? guesses : [1]) {
    const shapes = model.inputs.map(({ port }) => (port.shape ?? [guess]).map((size, axis) => sizeFor(port, size, axis, guess)));
    const most = 2 ** 24;
    if (shapes.some((shape) => sizeOf(shape) > most)) break;
    try {
      const trial = new Trial(model, shapes);
      return model.trace(new Context(trial), trial.input(0)).trace.ran;
    } catch (cause) {
      problem ??= cause;
      if (!(cause instanceof RnnError)) throw cause;
    }
  }
  if (!isOpen && problem !== undefined)
    throw problem instanceof RnnError && problem.kind === "format"
      ? problem
      : fail(`its graph cannot be recorded: ${(problem as Error).message}`, problem);
  return undefined;
}

/** A size that the file leaves open; batches are tried with one row. */
function sizeFor({ shape }: Port, size: number | string | undefined, axis: number, guess: number): number {
  if (typeof size === "number") return size;
  const isBatch = typeof size === "string" ? /batch|^n$/i.test(size) : axis === 0 && (shape?.length ?? 0) > 1;
  return isBatch ? 1 : guess;
}

function reportOf(model: OnnxModel, tried: Tried): ImportedModel["report"] {
  const all = model.namedParameters();
  return [...model.described()].map(({ node, layer, parameters }) => {
    const paths = [...parameters, ...(layer ? layer.module.namedParameters(`${layer.name}.`).keys() : [])];
    const became = layer ? `${layer.module.constructor.name} "${clip(layer.name)}"` : whatBecame(model, node, tried);
    const named = parameters.length > 0 ? ` with ${listed(parameters)}` : "";
    const count = paths.reduce((sum, path) => sum + (all.get(path)?.size ?? 0), 0);
    return { name: node.name, kind: node.operator, became: became + named, parameters: count };
  });
}

function whatBecame(model: OnnxModel, node: Node, tried: Tried): string {
  if (model.isConstant(node)) return "a constant";
  if (!tried) return "recorded when the model runs";
  if (!tried.has(node)) return "nothing, because no output needs it";
  const commands = tried.get(node);
  if (commands === undefined) return "a constant that follows from shapes";
  // What reads the rows of a table looks them up.
  if (commands === 0) return node.operator === "Gather" && model.holderOf(node, 0) ? "a lookup" : "a view";
  return `${commands} command${commands === 1 ? "" : "s"}`;
}
