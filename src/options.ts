/**
 * Reads options, in all public functions: once, at the moment of the call. `undefined` counts as not given. `null` is
 * an error, because it could mean "none" or "the default".
 */
import { checkSize, listed, reading, RnnError, show, type ErrorKind } from "./errors.ts";

/**
 * What options of other libraries are called here: our name with theirs, in lower case, letters and digits only; or a
 * remark with those that have no counterpart.
 */
const otherNames: Readonly<Record<string, string>> = {
  learningRate: "lr eta stepsize",
  beta1: "betas",
  alpha: "rho",
  eps: "epsilon",
  weightDecay: "decay l2",
  clipNorm: "clip gradclip maxgradnorm maxnorm",
  totalSteps: "tmax",
  minimum: "etamin",
  numLayers: "layers nlayers",
  bias: "usebias",
  batchFirst: "timemajor",
  merge: "mergemode",
  nonlinearity: "activation",
  activations: "recurrentactivation",
  clip: "cellclip",
  inputInit: "kernelinitializer",
  recurrentInit: "recurrentinitializer",
  reset: "resetafter",
  forgetBias: "unitforgetbias",
  carryState: "stateful",
  batch: "size batchsize rows",
  steps: "sequencelength seqlen seqlength epochs iterations",
  maxLength: "maxlen",
  length: "maxlength maxtokens maxnewtokens",
  beams: "numbeams beamwidth beamsize",
  signal: "abort abortsignal abortcontroller",
  backend: "device",
  data: "dataset",
  loss: "criterion lossfn",
  optimizer: "optim",
  input: "x inputs",
  targets: "y target labels",
  state: "initialstate h0",
  "all steps are the output, and LastStep gives the last one": "returnsequences",
  "forward gives the states besides the output": "returnstate",
  "freeze and unfreeze of the model say what is learnt, at any time": "trainable freeze frozen requiresgrad",
  "sizes are the first arguments": "units hiddensize inputsize inputshape",
};

const plain = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, "");

/** Number of insertions, deletions and replacements that turn one word into the other. */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, i) => i);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++)
      next.push(Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (one[i - 1] === other[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[other.length];
}

/** The known name that an unknown one probably means. */
function hintFor(name: string, known: readonly string[]): string {
  const all = `known options are ${known.join(", ") || "none"}`;
  const word = plain(name);
  if (word === "" || word.length > 40) return all;
  const other = Object.keys(otherNames).find((one) => otherNames[one].split(" ").includes(word)) ?? "";
  if (other.includes(" ")) return `${other}; ${all}`;
  const meant = known.includes(other) ? other : meantBy(word, known);
  return meant === undefined ? all : `did you mean "${meant}"?`;
}

/** The one of `known` that a misspelt word probably means. */
export const meantBy = (word: string, known: readonly string[]): string | undefined =>
  word.length > 40 ? undefined : (known.find((one) => plain(one) === plain(word)) ?? nearest(plain(word), known));

function nearest(word: string, known: readonly string[]): string | undefined {
  const [best] = known.map((one) => ({ one, far: distance(word, plain(one)) })).sort((a, b) => a.far - b.far);
  if (best && best.far <= word.length / 3) return best.one;
  return known.find((one) => word.length > 2 && (plain(one).startsWith(word) || (plain(one).length > 2 && word.startsWith(plain(one)))));
}

/** True if `value` is a plain object of names and values, and not a list, Map, Date, Promise, array of numbers … */
function isRecord(value: unknown): value is object {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    /^\[object (Object|Module)\]$/.test(Object.prototype.toString.call(value))
  );
}

/**
 * Reads each of the `known` options once, so that the checked values are the used ones.
 * @param needed true if there must be options
 * @throws RnnError `option` for an unknown name, with the nearest known one, and for null
 */
export function takeOptions<T extends object>(where: string, options: T | undefined, known: readonly string[], { needed = false } = {}): T {
  if (options === undefined && !needed) return {} as T;
  return reading("option", where, "options", () => {
    if (!isRecord(options)) throw new RnnError("option", where, `options must be an object, got ${show(options)}`);
    const unknown = Object.keys(options).find((name) => !known.includes(name));
    if (unknown !== undefined) throw new RnnError("option", where, `unknown option ${listed([unknown])}; ${hintFor(unknown, known)}`);
    const taken: [string, unknown][] = [];
    for (const name of known) {
      const value = reading("option", where, name, () => (options as Record<string, unknown>)[name]);
      if (value === null) throw new RnnError("option", where, `${name} must not be null; leave out what is not wanted`);
      if (value !== undefined) taken.push([name, value]);
    }
    return Object.fromEntries(taken) as T;
  });
}

/** Most entries of a list. */
const mostItems = 2 ** 26;

/**
 * Reads each entry of a list once. An entry is checked before the next one is read, because a list may have a huge
 * length and no entries.
 * @throws RnnError `option` or `data` if it is no list
 */
export function takeItems<T>(
  kind: "option" | "data",
  where: string,
  name: string,
  what: string,
  list: unknown,
  item: (value: unknown, index: number) => T,
): T[] {
  return reading(kind, where, name, () => {
    if (!Array.isArray(list)) throw new RnnError(kind, where, `${name} must be ${what}, got ${show(list)}`);
    checkSize(where, `the length of ${name}`, list.length, 0, mostItems);
    const taken: T[] = [];
    for (let i = 0; i < list.length; i++) taken.push(item(list[i], i));
    return taken;
  });
}

/** Most lists and objects within each other in data that `takePlain` copies. */
const mostDepth = 20;

/**
 * Copies what an app may have stored as JSON, and arrays of numbers: each list, object and value is read once, at the
 * moment of the call. Use it for data whose checks are loaded later.
 * @throws RnnError of this kind if it cannot be read, or lists and objects are nested too deeply
 */
export function takePlain<T>(where: string, name: string, value: T, kind: ErrorKind = "format", depth = mostDepth): T {
  return reading(kind, where, name, () => {
    if (typeof value !== "object" || value === null) return value;
    if (depth === 0) throw new RnnError(kind, where, `${name} must have at most ${mostDepth} lists and objects within each other`);
    const inner = (one: unknown): unknown => takePlain(where, name, one, kind, depth - 1);
    if (Array.isArray(value)) return takeItems("option", where, name, "a list", value, inner) as T;
    if (ArrayBuffer.isView(value) && "slice" in value) return (value as unknown as Uint8Array).slice() as T;
    if (!isRecord(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, inner(one)])) as T;
  });
}

/**
 * True if a constructor of the package has made `value`. `instanceof` alone throws for some Proxies, and accepts an
 * object that has only the prototype.
 */
export function isA<T>(value: unknown, kind: abstract new (...args: never[]) => T): value is T {
  try {
    return value instanceof kind && Object.getOwnPropertyNames(value).length > 0;
  } catch {
    return false;
  }
}

/**
 * True if `value` is an object with these methods. Objects that apps may write themselves (data, a loss) are recognised
 * by them.
 */
export function hasMethods(value: unknown, ...names: string[]): value is object {
  try {
    return (
      typeof value === "object" && value !== null && names.every((name) => typeof (value as Record<string, unknown>)[name] === "function")
    );
  } catch {
    return false;
  }
}

/**
 * Reads an object of values by name, each once.
 * @throws RnnError `option` if it is none
 */
export function takeEntries(
  where: string,
  name: string,
  of: string,
  values: unknown,
  kind: "option" | "format" = "option",
): [string, unknown][] {
  return reading(kind, where, name, () => {
    if (!isRecord(values)) throw new RnnError(kind, where, `${name} must be an object of ${of}, got ${show(values)}`);
    return Object.entries(values);
  });
}
