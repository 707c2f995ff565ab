// The parts of a shader that the minified bundle drops, and those that it must keep.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { root } from "../../scripts/bundle.mjs";
import { minifyWgsl } from "../../scripts/wgsl-plugin.mjs";

/** The longest possible tokens, as WGSL has them; a comment is none. */
const tokensOf = (source: string): string[] =>
  source
    .replace(/\/\/.*/g, "")
    .match(/0x[\da-f]+[iu]?|(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?[fhiu]?|[a-z_]\w*|>>=|<<=|->|\+\+|--|&&|\|\||[-+*/%&|^=!<>]=|<<|>>|\S/gi) ??
  [];
const folder = join(root, "shaders");
const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".wgsl"));

it.each(files)("keeps the tokens of %s, in fewer letters", (file) => {
  const source = readFileSync(join(folder, file), "utf8");
  const text = minifyWgsl(source);
  expect(tokensOf(text)).toEqual(tokensOf(source));
  expect(text.length).toBeLessThan(source.length);
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
