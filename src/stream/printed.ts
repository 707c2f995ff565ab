/** What consoles print for streams: a few words, and not their memory. */

/** The name of the method that Node, Deno and Bun ask before they print an object. */
export const printSymbol: unique symbol = Symbol.for("nodejs.util.inspect.custom");

/** The public facts of an object, as a console prints those of a plain one. */
export const printed = (name: string, facts: Readonly<Record<string, number | string>>): string =>
  `${name} { ${Object.entries(facts)
    .map(([key, value]) => `${key}: ${value}`)
    .join(", ")} }`;
