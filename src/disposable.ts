/** An object with `dispose`. */

declare global {
  // For programs whose `lib` lacks it; otherwise both declarations merge.
  interface SymbolConstructor {
    readonly dispose: unique symbol;
  }
}

/** `Symbol.dispose`, or in engines without it, the symbol that compilers of `using` use instead. */
export const disposeSymbol: typeof Symbol.dispose =
  (Symbol as { dispose?: typeof Symbol.dispose }).dispose ?? (Symbol.for("Symbol.dispose") as typeof Symbol.dispose);

export interface Disposable {
  dispose(): void;
}

/** Objects that are disposed of together with another one. They are held weakly. */
export class Dependants {
  private readonly all = new Set<WeakRef<Disposable>>();

  add(dependant: Disposable): void {
    for (const one of this.all) if (!one.deref()) this.all.delete(one);
    this.all.add(new WeakRef(dependant));
  }

  dispose(): void {
    for (const one of this.all) one.deref()?.dispose();
    this.all.clear();
  }
}
