/**
 * Node's version of what differs between browsers and Node (Deno, which has Node's modules, uses it too): see
 * browser.ts.
 */

export function mayHaveGpu(): boolean {
  return true;
}

/** Dawn's entry point; kept alive because its devices are lost without it. */
let found: Promise<unknown> | undefined;

/** @throws Error if the package `webgpu` is not installed, or does not load */
export function dawn(flags: readonly string[]): Promise<unknown> {
  found ??= load(flags);
  found.catch(() => (found = undefined));
  return found;
}

async function load(flags: readonly string[]): Promise<unknown> {
  // An optional peer. It is named through a variable, so that bundlers for Node do not require it.
  const name = "webgpu";
  const { create, globals } = (await import(/* @vite-ignore */ /* webpackIgnore: true */ name)) as {
    create: (flags: readonly string[]) => object;
    globals: object;
  };
  Object.assign(globalThis, globals);
  return create(flags);
}
