/** JSON from files. */
import { reasonOf, RnnError } from "../errors.ts";

/** Values of JSON. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [name: string]: Json | undefined;
}

/** Deeper than any model's description. */
const mostDepth = 200;

/** Parses a text from a file. @throws RnnError `format` if it is no JSON, or nested too deep to walk through */
export function parseJson(where: string, text: string): Json {
  let depth = 0;
  for (const [token] of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[[\]{}]/gs)) {
    if (token === "[" || token === "{") {
      if (++depth > mostDepth) throw new RnnError("format", where, `its JSON is nested more than ${mostDepth} deep`);
    } else if (token === "]" || token === "}") depth--;
  }
  try {
    return JSON.parse(text) as Json;
  } catch (cause) {
    throw new RnnError("format", where, `its JSON cannot be read: ${reasonOf(cause)}`, { cause });
  }
}

export const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);
