// The parts of a shader that the minified bundle drops, and those that it must keep.
import { expect, it } from "vitest";
import { minifyWgsl } from "../../scripts/wgsl-plugin.mjs";

it("drops comments, indentation and blank lines", () => {
  const source = "// why\nfn f() {\n    let a = 1 / 2; // half\n\n    /* one /* nested */ two */\n}\n";
  expect(minifyWgsl(source)).toBe("fn f() {\nlet a = 1 / 2;\n}\n");
});

it("keeps tokens apart where a comment stood between them", () => {
  expect(minifyWgsl("let/* x */a = 1;")).toBe("let a = 1;\n");
});

it("ends at an unfinished comment without looping", () => {
  expect(minifyWgsl("let a = 1; // no newline")).toBe("let a = 1;\n");
});
