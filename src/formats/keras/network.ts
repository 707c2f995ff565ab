/** A Keras model as a module: its layers, called in the order of its graph. */
import type { Variable } from "../../autodiff/tape.ts";
import { checkCall, type Context } from "../../nn/context.ts";
import { Module } from "../../nn/module.ts";
import type { Shape } from "../../tensor/shape.ts";
import { formatError, type ImportedNode } from "../imported.ts";
import { layerOf, modelKinds, modelOf, placeOf, where, type Call, type LayerConfig, type ModelConfig, type Source } from "./config.ts";
import type { Flow, Layer } from "./layer.ts";
import { builderOf } from "./layers.ts";
import { NotedArrays, ZeroArrays } from "./saved-arrays.ts";
import type { LayerArrays } from "./weights.ts";

/** Names of parts have no dots, and none is too long for a path. */
const partName = (name: string): string => name.replaceAll(".", "_").slice(0, 150) || "layer";

const keyOf = ({ layer, call }: Pick<Source, "layer" | "call">): string => `${call} ${layer}`;

/** The calls in an order in which each has what it needs. @throws RnnError `format` for a cycle or a missing layer */
function inOrder({ calls, inputs, outputs, ...model }: ModelConfig): Call[] {
  const ready = new Set(inputs.map(keyOf));
  const ordered: Call[] = [];
  let waiting = calls.filter((call) => !ready.has(keyOf(call)));
  while (waiting.length > 0) {
    const next = waiting.filter((call) => call.inputs.length > 0 && call.inputs.every((source) => ready.has(keyOf(source))));
    if (next.length === 0)
      throw formatError(
        where,
        `${placeOf(model)}: the inputs of ${placeOf({ kind: "layer", name: waiting[0].layer })} are not there, or depend on it`,
      );
    for (const call of next) {
      ready.add(keyOf(call));
      ordered.push(call);
    }
    waiting = waiting.filter((call) => !ready.has(keyOf(call)));
  }
  const missing = outputs.find((source) => !ready.has(keyOf(source)));
  if (missing || outputs.length === 0 || inputs.length === 0)
    throw formatError(where, `${placeOf(model)} has no ${inputs.length === 0 ? "input" : `output "${missing?.layer ?? ""}"`}`);
  return ordered;
}

export class KerasNetwork extends Module {
  static readonly savedAs = "KerasNetwork";
  readonly layers = new Map<string, Layer>();
  /** In an order in which each has what it needs. */
  readonly calls: readonly Call[];
  /** Names of the modules of layers. */
  readonly parts = new Map<string, string>();
  /** Names of the further inputs and outputs, behind the first. */
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];

  private readonly shapes: readonly Shape[];

  /** @param inside whether it is a layer of another network, which gives it its inputs */
  constructor(
    readonly config: ModelConfig,
    arrays: LayerArrays,
    private readonly inside: boolean,
    report: ImportedNode[],
  ) {
    super();
    const noted = new NotedArrays(arrays);
    this.shapes = noted.shapes;
    const sources = noted.parts(config.layers);
    config.layers.forEach((layer, i) => this.addLayer(layer, sources[i], report));
    this.calls = inOrder(config);
    this.inputNames = uniqueNames(config.inputs.map(({ layer }) => partName(layer)));
    this.outputNames = uniqueNames(config.outputs.map(({ layer }) => partName(layer)));
  }

  /** What `restore` takes. */
  override describe(): readonly unknown[] {
    return [this.config, this.shapes];
  }

  /** The network that `describe` described. */
  static restore(config: ModelConfig, shapes: readonly Shape[]): KerasNetwork {
    return new KerasNetwork(config, new ZeroArrays(shapes), false, []);
  }

  private addLayer(layer: LayerConfig, arrays: LayerArrays, report: ImportedNode[]): void {
    if (layer.kind === "InputLayer") return;
    const inner: ImportedNode[] = [];
    const made = this.build(layer, arrays, inner);
    arrays.finish(layer);
    const part = uniqueNames([...this.parts.values(), partName(layer.name)]).pop()!;
    this.layers.set(layer.name, made);
    this.parts.set(layer.name, part);
    if (made.module) this.addChild(part, made.module);
    report.push({ name: layer.name, kind: layer.kind, became: made.became, parameters: made.module?.parameterCount ?? 0 }, ...inner);
  }

  private build(layer: LayerConfig, arrays: LayerArrays, report: ImportedNode[]): Layer {
    if (modelKinds.includes(layer.kind)) {
      const network = new KerasNetwork(modelOf(layer), arrays, true, report);
      return { became: "a network", module: network, run: (context, inputs) => network.run(context, inputs) };
    }
    return builderOf(layer)(layer, arrays, (inner, its) =>
      this.build(layerOf({ class_name: inner.kind, config: inner.config }, placeOf(inner), inner.era), its, report),
    );
  }

  override get saysBatchFirst(): boolean {
    return true;
  }

  override get idCount(): number | undefined {
    return this.idsOf(0);
  }

  override get furtherInputs(): Readonly<Record<string, number | undefined>> {
    return this.inside ? {} : Object.fromEntries(this.inputNames.slice(1).map((name, i) => [name, this.idsOf(i + 1)]));
  }

  /** Number of ids if an input is ids: it goes to an Embedding. */
  idsOf(input: number): number | undefined {
    const key = keyOf(this.config.inputs[input]);
    const counts = this.calls.flatMap(({ layer, inputs }) =>
      inputs.flatMap((source, i) => {
        const { idCount, module } = this.layers.get(layer) ?? {};
        return keyOf(source) === key ? [module instanceof KerasNetwork ? module.idsOf(i) : idCount] : [];
      }),
    );
    const first = counts.find((count) => count !== undefined);
    if (first !== undefined && counts.includes(undefined))
      throw formatError(
        where,
        `the input "${this.config.inputs[input].layer}" goes to an Embedding and to other layers, which is not read`,
      );
    return first === undefined ? undefined : Math.min(...counts.map((count) => count ?? Infinity));
  }

  /** Runs the layers. */
  run(context: Context, inputs: readonly Flow[]): readonly Flow[] {
    const { config } = this;
    if (inputs.length !== config.inputs.length)
      throw formatError(where, `${placeOf(config)} has ${config.inputs.length} inputs and is called with ${inputs.length}`);
    const results = new Map<string, readonly Flow[]>(config.inputs.map((source, i) => [keyOf(source), [inputs[i]]]));
    const resultOf = ({ output, ...source }: Source): Flow => {
      const found = results.get(keyOf(source))?.[output];
      if (!found) throw formatError(where, `the layer "${source.layer}" has no output ${output}`);
      return found;
    };
    for (const call of this.calls) {
      const layer = this.layers.get(call.layer);
      if (!layer) throw formatError(where, `the layer "${call.layer}" is not there`);
      const own = context.child(this.parts.get(call.layer)!);
      // A layer that is called again is not the one whose states the caller gives.
      const scope = call.call === 0 ? own : own.within({ initialState: () => undefined, finalState: () => undefined });
      results.set(keyOf(call), layer.run(scope, call.inputs.map(resultOf)));
    }
    return config.outputs.map(resultOf);
  }

  forward(context: Context, input: Variable): Variable {
    checkCall("KerasNetwork", context, input);
    const inputs = this.inputNames.map((name, i): Flow => {
      const x = i === 0 ? input : context.further(name);
      if (!x) throw formatError(where, `the model needs the further input "${name}"`);
      return { x };
    });
    const [first, ...others] = this.run(context, inputs);
    others.forEach(({ x }, i) => context.emit(this.outputNames[i + 1], x));
    return first.x;
  }
}

/** The names, those that were there before with a number. */
function uniqueNames(names: readonly string[]): string[] {
  const seen = new Set<string>();
  return names.map((name) => {
    let unique = name;
    for (let n = 1; seen.has(unique); n++) unique = `${name}_${n}`;
    seen.add(unique);
    return unique;
  });
}
