// Reads the command line of the programs here, with clear errors for unknown options and missing values.
import { parseArgs } from "node:util";

/** Characters to insert, delete or replace to get from one word to the other (Levenshtein 1966). */
function distance(from, to) {
  let row = Array.from({ length: to.length + 1 }, (_, j) => j);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) next.push(Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (from[i - 1] === to[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[to.length];
}

/**
 * "; did you mean --port?", or nothing where no name is near.
 * @param {string} name
 * @param {readonly string[]} names
 */
export function suggestion(name, names) {
  const near =
    names.find((known) => distance(name.toLowerCase(), known) <= 2 && known.length > 2) ??
    names.find((known) => name.length > 1 && known.startsWith(name));
  return near === undefined ? "" : `; did you mean --${near}?`;
}

/**
 * The values of the options that were given, by name, and the other words. `--help` is known to all programs.
 * @param {readonly string[]} args
 * @param {Record<string, { type: "string" | "boolean", multiple?: boolean }>} options
 * @param {{ words?: number }} [limits] how many other words there may be
 * @returns {{ values: Record<string, any>, words: string[], help: boolean }}
 * @throws {Error} in words
 */
export function readCommandLine(args, options, { words: most = 0 } = {}) {
  const known = { ...options, help: { type: /** @type {const} */ ("boolean"), short: "h" } };
  const { tokens } = parseArgs({ args: [...args], options: known, strict: false, allowPositionals: true, tokens: true });
  const values = {};
  const words = [];
  for (const token of tokens) {
    if (token.kind === "positional") words.push(token.value);
    if (token.kind !== "option") continue;
    const { name, rawName, value, inlineValue } = token;
    if (!Object.hasOwn(known, name)) throw new Error(`unknown option ${rawName}${suggestion(name, Object.keys(known))}`);
    const { type, multiple } = known[name];
    if (type === "boolean" && value !== undefined) throw new Error(`--${name} takes no value, got ${JSON.stringify(value)}`);
    if (type === "string" && (value === undefined || value === "" || (!inlineValue && value.startsWith("-"))))
      throw new Error(`--${name} needs a value`);
    const given = type === "boolean" ? true : value;
    values[name] = multiple ? [...(values[name] ?? []), given] : given;
  }
  if (words.length > most) throw new Error(`unexpected ${JSON.stringify(words[most])}`);
  return { values, words, help: values.help === true };
}

/**
 * A port number from the command line.
 * @param {string} text
 */
export function readPort(text) {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (!(port <= 65535)) throw new Error(`--port must be a whole number from 0 to 65535, got ${JSON.stringify(text)}`);
  return port;
}
