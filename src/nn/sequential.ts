import { checkFunction, checkInteger, RnnError, show } from "../errors.ts";
import { takeOptions } from "../options.ts";
import type { Variable } from "../ops/tape.ts";
import type { Context } from "./context.ts";
import { Module } from "./module.ts";

/**
 * Modules one behind the other. Given as a list they are named "0", "1", … as in PyTorch's `nn.Sequential`; given
 * as an object, by its keys, which then are the prefixes of the parameter names.
 * With `seed` all parameters are drawn anew from it.
 * @throws RnnError `option` if there is no module, one of them is none, or an option is unknown
 */
export class Sequential extends Module {
  constructor(modules: readonly Module[] | Readonly<Record<string, Module>>, given: { seed?: number } = {}) {
    super();
    const options = takeOptions("Sequential", given, ["seed"]);
    if (typeof modules !== "object" || modules === null) throw new RnnError("option", "Sequential", `modules must be a list or an object of modules, got ${show(modules)}`);
    const entries = Object.entries(modules);
    if (entries.length === 0) throw new RnnError("option", "Sequential", "needs at least one module");
    for (const [name, module] of entries) this.addChild(name, module);
    if (options.seed !== undefined) this.initialize(options.seed);
  }

  override get idCount(): number | undefined {
    return [...this.children.values()][0].idCount;
  }

  forward(context: Context, input: Variable): Variable {
    let x = input;
    for (const [name, module] of this.children) x = module.forward(context.child(name), x);
    return x;
  }
}

/** The modules of a composition as functions of variables. */
export type Calls<M> = { readonly [K in keyof M]: (x: Variable) => Variable };

class Composition<M extends Readonly<Record<string, Module>>> extends Module {
  constructor(private readonly modules: M, private readonly connect: (calls: Calls<M>, input: Variable) => Variable, private readonly ids: number | undefined) {
    super();
    for (const [name, module] of Object.entries(modules)) this.addChild(name, module, "compose");
  }

  override get idCount(): number | undefined {
    return this.ids;
  }

  forward(context: Context, input: Variable): Variable {
    const calls = Object.fromEntries(Object.entries(this.modules).map(([name, module]) => [name, (x: Variable) => module.forward(context.child(name), x)]));
    return this.connect(calls as Calls<M>, input);
  }
}

/**
 * A module from named parts and a plain function that connects them.
 * @example compose({ embedding, rnn, out }, ({ embedding, rnn, out }, x) => out(rnn(embedding(x))))
 * @param options.idCount number of ids if the input is ids; by default that of the first part, if it takes ids
 */
export function compose<M extends Readonly<Record<string, Module>>>(
  modules: M, connect: (calls: Calls<M>, input: Variable) => Variable, given: { seed?: number; idCount?: number } = {},
): Module {
  const options = takeOptions("compose", given, ["seed", "idCount"]);
  if (typeof modules !== "object" || modules === null) throw new RnnError("option", "compose", `modules must be an object of modules, got ${show(modules)}`);
  checkFunction("compose", "connect", connect);
  if (options.idCount !== undefined) checkInteger("compose", "idCount", options.idCount, 1);
  const model = new Composition(modules, connect, options.idCount ?? Object.values(modules)[0]?.idCount);
  if (options.seed !== undefined) model.initialize(options.seed);
  return model;
}
