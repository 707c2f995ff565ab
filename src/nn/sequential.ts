import { checkFunction, checkInteger, clip, reading, RnnError, show } from "../errors.ts";
import { isA, takeEntries, takeItems, takeOptions } from "../options.ts";
import type { Variable } from "../autodiff/tape.ts";
import { checkCall, givenVariable, type Context } from "./context.ts";
import { Module } from "./module.ts";

/**
 * The modules of a list, named by their places, or of an object, by its keys.
 * @throws RnnError `option` if there is none, one is no module, or JavaScript has reordered the keys
 */
function partsOf(where: string, modules: unknown): [string, Module][] {
  return reading("option", where, "modules", () => {
    if (isA(modules, Module)) throw new RnnError("option", where, `modules must be an object of modules, got ${show(modules)}`);
    const parts: [string, unknown][] = Array.isArray(modules)
      ? takeItems(
          "option",
          where,
          "modules",
          "a list of modules",
          modules,
          (module, i) => [String(i), partOf(where, String(i), module)] as [string, unknown],
        )
      : takeEntries(where, "modules", "modules, or a list", modules);
    if (parts.length === 0) throw new RnnError("option", where, "needs at least one module");
    if (!Array.isArray(modules) && parts.some(([name]) => /^(0|[1-9]\d*)$/.test(name)))
      throw new RnnError(
        "option",
        where,
        "names in an object must be words, since JavaScript puts numbers first and in their order; a list names its modules 0, 1, …",
      );
    return parts.map(([name, module]) => [name, partOf(where, name, module)]);
  });
}

function partOf(where: string, name: string, module: unknown): Module {
  if (isA(module, Module)) return module;
  throw new RnnError("option", where, `"${clip(name)}" must be a module, got ${show(module)}`);
}

/**
 * Runs modules in order. In a list they are named "0", "1", … as in PyTorch's `nn.Sequential`; in an object, by its
 * keys. The names are prefixes of the parameter names. With `seed`, all parameters are drawn again from it.
 * @throws RnnError `option` if there is no module, one of them is none, or an option is unknown
 */
export class Sequential extends Module {
  constructor(modules: readonly Module[] | Readonly<Record<string, Module>>, given: { seed?: number } = {}) {
    super();
    if (isA(modules, Module))
      throw new RnnError(
        "option",
        "Sequential",
        `modules must be a list or an object of modules, got ${show(modules)}; write new Sequential([first, second])`,
      );
    const options = takeOptions("Sequential", given, ["seed"]);
    for (const [name, module] of partsOf("Sequential", modules)) this.addChild(name, module);
    if (options.seed !== undefined) this.initialize(options.seed);
  }

  override describe(): readonly unknown[] {
    const parts = [...this.children];
    const isList = parts.every(([name], i) => name === String(i));
    return [isList ? parts.map(([, module]) => module) : Object.fromEntries(parts)];
  }

  override get idCount(): number | undefined {
    return [...this.children.values()][0].idCount;
  }

  override get inputFeatures(): number | undefined {
    return [...this.children.values()].map(({ inputFeatures }) => inputFeatures).find((features) => features !== undefined);
  }

  override get hasWindows(): boolean {
    return [...this.children.values()].some((module) => module.hasWindows);
  }

  forward(context: Context, input: Variable): Variable {
    checkCall("Sequential", context, input);
    let x = input;
    for (const [name, module] of this.children)
      x = givenVariable("Sequential", `forward of "${clip(name)}"`, module.forward(context.child(name), x));
    return x;
  }
}

/** The modules of a composition as functions of variables. */
export type Calls<M> = { readonly [K in keyof M]: (x: Variable) => Variable };

class Composition<M extends Readonly<Record<string, Module>>> extends Module {
  constructor(
    private readonly parts: readonly (readonly [string, Module])[],
    private readonly connect: (calls: Calls<M>, input: Variable) => Variable,
    private readonly ids: number | undefined,
  ) {
    super();
    for (const [name, module] of parts) this.addChild(name, module, "compose");
  }

  override describe(): never {
    throw new RnnError(
      "option",
      "compose",
      "a file cannot hold the function that connects these modules; make it the forward of a class that extends Module",
    );
  }

  override get idCount(): number | undefined {
    return this.ids;
  }

  override get inputFeatures(): number | undefined {
    return this.ids === undefined ? this.parts[0][1].inputFeatures : undefined;
  }

  override get hasWindows(): boolean {
    return this.parts.some(([, { hasWindows }]) => hasWindows);
  }

  forward(context: Context, input: Variable): Variable {
    const calls = Object.fromEntries(this.parts.map(([name, module]) => [name, (x: Variable) => module.forward(context.child(name), x)]));
    checkCall("compose", context, input);
    return givenVariable("compose", "connect", this.connect(calls as Calls<M>, input));
  }
}

/**
 * A module from named parts and a plain function that connects them.
 * @example compose({ embedding, rnn, out }, ({ embedding, rnn, out }, x) => out(rnn(embedding(x))))
 * @param options.idCount number of ids if the input is ids (default: that of the first part)
 */
export function compose<M extends Readonly<Record<string, Module>>>(
  modules: M,
  connect: (calls: Calls<M>, input: Variable) => Variable,
  given: { seed?: number; idCount?: number } = {},
): Module {
  const options = takeOptions("compose", given, ["seed", "idCount"]);
  checkFunction("compose", "connect", connect);
  const parts = partsOf("compose", modules);
  if (options.idCount !== undefined) checkInteger("compose", "idCount", options.idCount, 1);
  const model = new Composition(parts, connect, options.idCount ?? parts[0][1].idCount);
  if (options.seed !== undefined) model.initialize(options.seed);
  return model;
}
