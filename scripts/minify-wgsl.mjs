// Makes WGSL short for the built package.
/**
 * Drops what only readers need: `//` and block comments, spaces, long names of variables. Each statement stays on a line
 * of its own, which errors of compilers quote.
 * WGSL has no string literals, so a comment mark can never stand inside one; its block comments nest.
 * @param {string} source
 * @returns {string}
 */
export function minifyWgsl(source) {
  let code = "";
  let depth = 0;
  for (let at = 0; at < source.length; at++) {
    const pair = source.slice(at, at + 2);
    if (depth === 0 && pair === "//") {
      const end = source.indexOf("\n", at);
      if (end === -1) break;
      at = end - 1; // the loop's at++ lands on the newline, which is kept
    } else if (pair === "/*") {
      depth++;
      at++;
    } else if (depth > 0 && pair === "*/") {
      if (--depth === 0) code += " "; // a comment separates tokens
      at++;
    } else if (depth === 0) {
      code += source[at];
    }
  }
  const short = code.trim().replace(/\s+/g, (gap, at, text) => gapBetween(text.slice(0, at), gap, text[at + gap.length]));
  return shortenLocals(`${short}\n`);
}

/** Pairs of marks that would begin another token, or a comment, if they stood together. */
const joined = /^(\+\+|--|&&|\|\||<<|>>|\/[/*]|->|[-+*/%&|^<>=!]=)$/;

/** The space that must remain between two tokens. */
function gapBetween(before, gap, next) {
  const last = before.at(-1);
  if (gap.includes("\n") && /[;}]/.test(last) && next !== "}") return "\n";
  // `var<storage>x` is right, but nobody writes it.
  const isApart = (/\w/.test(last) || /var<[\w, ]*>$/.test(before)) && /\w/.test(next);
  return isApart || joined.test(last + next) ? " " : "";
}

/**
 * Leaves out of a file, already minified, what all kernels that it is a part of declare in the same words.
 * @param {string} text
 * @param {string} path the file's, below shaders/
 * @param {readonly import("../src/kernels/kernel.ts").Kernel[]} kernels all of the package
 * @param {typeof import("../src/backend/webgpu/declarations.ts").declarationsOf} declarationsOf what the backend makes again
 */
export function withoutDeclarations(text, path, kernels, declarationsOf) {
  const users = kernels.filter(({ sources }) => sources.includes(path)).map((kernel) => declarationsOf(kernel).map(([, line]) => line));
  // The sources end the members of a long struct with a comma.
  const isMadeAgain = (line) => users.length > 0 && users.every((lines) => lines.includes(line.replace(/,}$/, "}")));
  return text
    .split("\n")
    .filter((line) => !isMadeAgain(line))
    .join("\n");
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/** Words, numbers, spaces, and single marks. */
const tokensOf = (code) => code.match(/[A-Za-z_]\w*|\d[\w.]*|\s+|[^]/g) ?? [];
const isWord = (token) => /^[A-Za-z_]/.test(token);

/**
 * Gives the parameters and variables of functions names of one letter, in code without comments. What other files can see
 * keeps its name: functions, structs and their members, constants, bindings.
 */
function shortenLocals(code) {
  const tokens = tokensOf(code);
  for (let i = 0; i < tokens.length; i++) {
    if (tokens[i] !== "fn") continue;
    const end = endOf(tokens, i);
    shorten(tokens, tokens.indexOf("(", i), end);
    i = end - 1;
  }
  return tokens.join("");
}

/** The place behind a function that begins at `i`. */
function endOf(tokens, i) {
  let depth = 0;
  for (let at = tokens.indexOf("{", i); at < tokens.length; at++) {
    if (tokens[at] === "{") depth++;
    else if (tokens[at] === "}" && --depth === 0) return at + 1;
  }
  throw new Error(`a function does not end: ${tokens.slice(i, i + 20).join("")}`);
}

/** Renames in place what the function from its first parenthesis on declares. */
function shorten(tokens, start, end) {
  const words = wordsOf(tokens, start, end);
  // A name that means something of another file in one place and a variable in another stays.
  const others = new Set(words.filter(({ isLocal }) => !isLocal).map(({ at }) => tokens[at]));
  const locals = words.filter(({ at }) => !others.has(tokens[at]));
  const free = [...letters].filter((letter) => !others.has(letter));
  const short = new Map();
  for (const { at } of locals) if (!short.has(tokens[at])) short.set(tokens[at], free[short.size]);
  if (short.size > free.length) throw new Error(`a function has more than ${free.length} names: ${[...short.keys()].join(", ")}`);
  for (const { at } of locals) tokens[at] = short.get(tokens[at]);
}

/** The words of a function that are no members, and whether each is a parameter or variable of its own there. */
function wordsOf(tokens, start, end) {
  const words = [];
  // The variables of each block around the present place; those of `declared` are in scope behind the next semicolon.
  const scopes = [{ names: new Set(), isHeader: false }];
  let declared = [];
  let before = "";
  const body = tokens.indexOf("{", start);
  for (let at = start; at < end; at++) {
    const token = tokens[at];
    if (/^\s/.test(token)) continue;
    const next = tokens.slice(at + 1, at + 3).find((one) => !/^\s/.test(one));
    if (token === "for") scopes.push({ names: new Set(), isHeader: true });
    else if (token === "{") scopes.push({ names: new Set(), isHeader: false });
    else if (token === "}") {
      scopes.pop();
      if (scopes.at(-1)?.isHeader) scopes.pop();
    } else if (token === ";") {
      for (const name of declared) scopes.at(-1).names.add(name);
      declared = [];
    } else if (isWord(token) && before !== ".") {
      const isParameter = at < body && next === ":";
      const isVariable = ["let", "var", "const"].includes(before);
      if (isParameter) scopes[0].names.add(token);
      if (isVariable) declared.push(token);
      words.push({ at, isLocal: isParameter || isVariable || scopes.some(({ names }) => names.has(token)) });
    }
    before = token;
  }
  return words;
}
