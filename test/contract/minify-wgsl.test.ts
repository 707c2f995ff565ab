// The parts of a shader that the minified bundle drops, and those that it must keep.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { root } from "../../scripts/bundle.mjs";
import { minifyWgsl } from "../../scripts/minify-wgsl.mjs";

/** The longest possible tokens, as WGSL has them; a comment is none. */
const tokensOf = (source: string): string[] =>
  source
    .replace(/\/\/.*/g, "")
    .match(/0x[\da-f]+[iu]?|(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?[fhiu]?|[a-z_]\w*|>>=|<<=|->|\+\+|--|&&|\|\||[-+*/%&|^=!<>]=|<<|>>|\S/gi) ??
  [];
const folder = join(root, "shaders");
const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".wgsl"));

/**
 * The words that one text has where the other has another one, by function; words outside of functions are in the first
 * part, and members are with their dot.
 */
function renamed(source: string, text: string): { from: string; to: string }[][] {
  const [before, after] = [tokensOf(source), tokensOf(text)];
  expect(after.length).toBe(before.length);
  const parts: { from: string; to: string }[][] = [[]];
  let depth = 0;
  before.forEach((from, i) => {
    if (depth === 0 && from === "fn") parts.push([]);
    if (from === "{") depth++;
    if (from === "}" && --depth === 0) parts.push([]);
    const member = before[i - 1] === "." ? "." : "";
    parts.at(-1)!.push({ from: member + from, to: member + after[i] });
  });
  return parts;
}

it.each(files)("keeps what %s means, in fewer letters", (file) => {
  const source = readFileSync(join(folder, file), "utf8");
  const text = minifyWgsl(source);
  expect(text.length).toBeLessThan(source.length);
  for (const part of renamed(source, text)) {
    const isFunction = part[0]?.from === "fn";
    const declared = part.flatMap(({ from }, i) => {
      const isParameter = part[i + 1]?.from === ":" && i < part.findIndex((one) => one.from === "{");
      return isParameter || ["let", "var", "const"].includes(part[i - 1]?.from) ? [from] : [];
    });
    // Each word has one new word, no two have the same one, and only what the function declares has another one.
    const pairs = new Map(part.map(({ from, to }) => [from, to]));
    for (const { from, to } of part) {
      expect(to, from).toBe(pairs.get(from));
      if (to !== from) expect(isFunction && declared.includes(from), `${from} became ${to}`).toBe(true);
    }
    expect(new Set(pairs.values()).size).toBe(pairs.size);
  }
});

it("keeps names that mean something of another file elsewhere in the function", () => {
  expect(minifyWgsl("fn f(long: u32) -> u32 { let row = row(long); return row + long; }")).toBe(
    "fn f(a:u32)->u32{let row=row(a);return row+a;}\n",
  );
  expect(minifyWgsl("fn f() { for (var step = 0u; step < 2u; step++) { g(step); } g(step.step); }")).toBe(
    "fn f(){for(var step=0u;step < 2u;step++){g(step);}g(step.step);}\n",
  );
  expect(minifyWgsl("fn f(a: T) { let x = T(); { let name = b; g(name, a.name); } }")).toBe(
    "fn f(a:T){let c=T();{let d=b;g(d,a.name);}}\n",
  );
});

it("keeps spaces without which two tokens would be one", () => {
  const kept = "let a: vec2<f32> = b - -c;\nlet d = e & &f;\n";
  expect(tokensOf(minifyWgsl(kept))).toEqual(tokensOf(kept));
  expect(tokensOf("a: vec2<f32>=b--c; e&&f")).not.toEqual(tokensOf("a: vec2<f32> = b - -c; e & &f"));
});

it("drops comments, indentation and blank lines", () => {
  const source = "// why\nfn f() {\n    let a = 1 / 2; // half\n\n    /* one /* nested */ two */\n}\n";
  expect(minifyWgsl(source)).toBe("fn f(){\nlet a=1 / 2;\n}\n");
});

it("keeps tokens apart where a comment stood between them", () => {
  expect(minifyWgsl("let/* x */a = 1;")).toBe("let a=1;\n");
});

it("ends at an unfinished comment without looping", () => {
  expect(minifyWgsl("let a = 1; // no newline")).toBe("let a=1;\n");
});
