/** What can be disposed of. */

declare global {
  // For programs whose `lib` has it not yet; where it has, both declarations are one.
  interface SymbolConstructor {
    readonly dispose: unique symbol;
  }
}

/** `Symbol.dispose`, or in engines that lack it the symbol that compilers of `using` take in its place. */
export const disposeSymbol: typeof Symbol.dispose =
  (Symbol as { dispose?: typeof Symbol.dispose }).dispose ?? (Symbol.for("Symbol.dispose") as typeof Symbol.dispose);

export interface Disposable {
  dispose(): void;
}

/** Things that are disposed of with another, as long as somebody holds them. */
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
