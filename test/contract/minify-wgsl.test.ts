// The parts of a shader that the minified bundle drops, and those that it must keep.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "../../scripts/bundle.mjs";
import { minifyWgsl, withoutDeclarations } from "../../scripts/minify-wgsl.mjs";
import { kernels } from "../../src/backend/all-kernels.ts";
import { declarationsOf, declared } from "../../src/backend/webgpu/declarations.ts";
import type { Kernel } from "../../src/kernels/kernel.ts";
import { cellText } from "../../src/recurrent/kernels/cell-structs.ts";

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
    "fn f(){for(var step=0u;step<2u;step++){g(step);}g(step.step);}\n",
  );
  expect(minifyWgsl("fn f(a: T) { let x = T(); { let name = b; g(name, a.name); } }")).toBe(
    "fn f(a:T){let c=T();{let d=b;g(d,a.name);}}\n",
  );
});

it("keeps spaces without which two tokens would be one", () => {
  const kept = "let a: vec2<f32> = b - -c;\nlet d = e & &f;\nlet g = h / *i;\n";
  expect(minifyWgsl(kept)).toBe("let a:vec2<f32> =b- -c;\nlet d=e& &f;\nlet g=h/ *i;\n");
  expect(tokensOf(minifyWgsl(kept))).toEqual(tokensOf(kept));
  expect(tokensOf("a: vec2<f32>=b--c; e&&f")).not.toEqual(tokensOf("a: vec2<f32> = b - -c; e & &f"));
});

it("drops comments, indentation and blank lines; each statement has a line, which errors quote", () => {
  const source = "// why\nfn f() {\n    let a = 1 / 2; // half\n\n    /* one /* nested */ two */\n    g(a,\n      a);\n}\n";
  expect(minifyWgsl(source)).toBe("fn f(){let a=1/2;\ng(a,a);}\n");
});

it("keeps tokens apart where a comment stood between them", () => {
  expect(minifyWgsl("let/* x */a = 1;")).toBe("let a=1;\n");
});

it("ends at an unfinished comment without looping", () => {
  expect(minifyWgsl("let a = 1; // no newline")).toBe("let a=1;\n");
});

describe("declarations that the build leaves to the contracts", () => {
  const sources = new Map(files.map((file) => [file.slice(0, -".wgsl".length), readFileSync(join(folder, file), "utf8")]));
  const whole = new Map([...sources].map(([path, text]) => [path, minifyWgsl(text).replaceAll(",}", "}")]));
  const built = new Map([...whole].map(([path, text]) => [path, withoutDeclarations(text, path, kernels, declarationsOf)]));
  const sorted = (text: string): string[] => text.split("\n").filter(Boolean).sort();

  it("are all that is missing in built files", () => {
    const left = (text: string): number => text.match(/^@group|^struct Params/gm)?.length ?? 0;
    const [before, after] = [whole, built].map((texts) => left([...texts.values()].join("\n")));
    expect(before).toBeGreaterThan(300);
    expect(after).toBeLessThan(before / 3);
    for (const kernel of kernels) {
      const source = (texts: Map<string, string>): string =>
        kernel.sources.map((path) => (kernel.recurrent && cellText(kernel.recurrent, path)) ?? texts.get(path)!).join("\n");
      expect(sorted(declared(kernel, source(built))), kernel.name).toEqual(sorted(source(whole)));
      expect(declared(kernel, source(sources)), kernel.name).toBe(source(sources));
    }
  });

  const kernel = { bindings: { x: { access: "read", type: "f32", shape: "[1]" } }, params: { by: "u32" } } as const;
  const made = declarationsOf(kernel).map(([, text]) => text);

  it("stay where kernels with the file differ, or nobody is known to use it", () => {
    expect(made).toHaveLength(3);
    const text = `${made.join("\n")}\nfn f(){}\n`;
    const users = (...all: Partial<Kernel>[]): Kernel[] => all.map((one) => ({ ...kernel, ...one, sources: ["a"] }) as unknown as Kernel);
    const left = (all: Kernel[]): string => withoutDeclarations(text, "a", all, declarationsOf);
    expect(left(users({}, {}))).toBe("fn f(){}\n");
    expect(left(users({}, { bindings: {} }))).toBe(`${made[0]}\nfn f(){}\n`);
    expect(left([])).toBe(text);
  });

  it("stay as a program's own WGSL has them", () => {
    const own = "struct Params {\n  by: u32,\n}\n@binding(0) @group(0) var<storage> x: array<vec4<f32>>;\n";
    expect(declared(kernel, own)).toBe(`${own}\n${made[2]}`);
    expect(declared({ bindings: { x: { access: "uniform", type: "u32", shape: "[1]" } }, params: {} }, "fn main() {}")).toBe(
      "fn main() {}",
    );
  });
});
