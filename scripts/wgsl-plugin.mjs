// WGSL stays in its own files (shaders/), so that editors and readers see WGSL; every tool that
// bundles TypeScript imports those files as text through the one loader here.
import { readdir, readFile } from "node:fs/promises";
import { basename, dirname, resolve, sep } from "node:path";
import { minifyWgsl } from "./minify-wgsl.mjs";

/**
 * The files of each group that is loaded as one, as shader-groups.json lists them: "common" is what most models need.
 * Files that are in no list are "further".
 * @param folder of the shaders
 */
export async function shaderGroups(folder) {
  const listed = JSON.parse(await readFile(new URL("./shader-groups.json", import.meta.url), "utf8"));
  const files = (await readdir(folder, { recursive: true }))
    .filter((name) => name.endsWith(".wgsl"))
    .map((name) => name.slice(0, -".wgsl".length).split(sep).join("/"))
    .sort();
  const known = new Set(Object.values(listed).flat());
  const missing = [...known].find((name) => !files.includes(name));
  if (missing !== undefined) throw new Error(`scripts/shader-groups.json names ${missing}, and there is no such file`);
  return { ...listed, further: files.filter((name) => !known.has(name)) };
}

/**
 * The module behind `import … from "…/shaders/<name>.group"`. It has the files of a group in one text, `packed`, each
 * behind a line with # and its path: fewer bytes than a variable and a name for each. "groups" lists the others but
 * "common", each with a function that loads it.
 * @param shorten makes each file's text short, by default as `minify` says
 */
export async function groupModule(name, folder, { minify = false, shorten = minify ? minifyWgsl : (text) => text } = {}) {
  const groups = await shaderGroups(folder);
  if (name !== "groups") {
    const texts = await Promise.all(groups[name].map((path) => readFile(resolve(folder, `${path}.wgsl`), "utf8")));
    const packed = texts.map((text, i) => `#${groups[name][i]}\n${shorten(text, groups[name][i])}`).join("");
    return `export const packed = \`${packed.replace(/[`\\]|\$\{/g, "\\$&")}\`;\n`;
  }
  const others = Object.entries(groups).filter(([group]) => group !== "common" && group !== "further");
  const lists = others.map(([group, files]) => `  { files: ${JSON.stringify(files)}, load: () => import("./${group}.group") },\n`);
  return `export const groups = [\n${lists.join("")}];\nexport const further = () => import("./further.group");\n`;
}

const groupOf = (path, options) => groupModule(basename(path, ".group"), dirname(path), options);

/** For esbuild: `import source from "./kernel.wgsl"` gives the file's text; and groups. */
export function wgslPlugin({ minify = false } = {}) {
  return {
    name: "wgsl",
    setup(build) {
      build.onLoad({ filter: /\.wgsl$/ }, async ({ path }) => {
        const source = await readFile(path, "utf8");
        return { contents: minify ? minifyWgsl(source) : source, loader: "text" };
      });
      build.onResolve({ filter: /\.group$/ }, ({ path, resolveDir }) => ({ path: resolve(resolveDir, path), namespace: "group" }));
      build.onLoad({ filter: /./, namespace: "group" }, async ({ path }) => ({
        contents: await groupOf(path, { minify }),
        resolveDir: dirname(path),
      }));
    },
  };
}

/** For Vite and Vitest: the same. */
export function wgslVitePlugin() {
  return {
    name: "wgsl",
    enforce: "pre",
    resolveId: (source, importer) => (source.endsWith(".group") ? resolve(dirname(importer), source) : null),
    load: async (id) => (id.endsWith(".group") ? { code: await groupOf(id), moduleType: "js" } : null),
    transform(source, id) {
      if (!/\.wgsl$/.test(id.split("?")[0])) return null;
      return { code: `export default ${JSON.stringify(source)};`, map: null };
    },
  };
}
