// WGSL stays in its own files (shaders/), so that editors and readers see WGSL; every tool that
// bundles TypeScript imports those files as text through the one loader here.
import { readFile } from "node:fs/promises";

/**
 * Drops what only readers need: `//` and block comments, indentation, blank lines.
 * WGSL has no string literals, so a comment mark can never stand inside one; its block comments nest.
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
  const lines = code.split("\n").map((line) => line.trim());
  return lines.filter((line) => line !== "").join("\n") + "\n";
}

/** For esbuild: `import source from "./kernel.wgsl"` gives the file's text. */
export function wgslPlugin({ minify = false } = {}) {
  return {
    name: "wgsl",
    setup(build) {
      build.onLoad({ filter: /\.wgsl$/ }, async ({ path }) => {
        const source = await readFile(path, "utf8");
        return { contents: minify ? minifyWgsl(source) : source, loader: "text" };
      });
    },
  };
}

/** For Vite and Vitest: the same. */
export function wgslVitePlugin() {
  return {
    name: "wgsl",
    enforce: "pre",
    transform(source, id) {
      if (!/\.wgsl$/.test(id.split("?")[0])) return null;
      return { code: `export default ${JSON.stringify(source)};`, map: null };
    },
  };
}
