// `npm run build`: src/ to dist/.
//   dist/esm/               what bundlers for browsers read: modules that are always loaded together as one (core, cpu,
//                           webgpu), one for each other source file, and declarations for all source files
//   dist/node/              what Node loads: one CommonJS file, and thin entries for `require` and `import` before it
//   dist/static.js          everything in one module without import(): service workers, worklets
//   dist/webgpu-rnn.min.js  the same, minified: <script type="module">
//   dist/classic.min.js     the same as a classic script, which sets the global webgpuRnn: file://, old pages
//   dist/static.cjs         the same for `require` where Node's conditions are not set: Jest with jsdom
//   dist/ops.cjs            its operations, for the same
//   dist/stream.js          streams alone, in one module without import(); stream.cjs is the same for `require`
//   formats/, inspect/, …   tell tools that do not know "exports" where these entries are
// Nothing but dist/node/ names a module of Node's. Prints what a page loads. Builds nothing if nothing has changed.
import { execFile } from "node:child_process";
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import * as esbuild from "esbuild";
import { minify } from "terser";
import { bundledPackages, entryPoints, root } from "./bundle.mjs";
import { builtPackage } from "./built.mjs";
import { bundleStream } from "./bundle-stream.mjs";
import { mergeModules, specifier } from "./merge-modules.mjs";
import { minifyWgsl, withoutDeclarations } from "./minify-wgsl.mjs";
import { sizes } from "./sizes.mjs";
import { tool } from "./tool.mjs";
import { groupModule, shaderGroups } from "./wgsl-plugin.mjs";

const run = promisify(execFile);
const dist = join(root, "dist");
const esm = join(dist, "esm");

const filesIn = async (folder, ending) =>
  (await readdir(folder, { recursive: true })).filter((name) => name.endsWith(ending)).map((name) => join(folder, name));
const toPosix = (path) => path.split(sep).join("/");

async function write(path, text) {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}

async function compile() {
  try {
    await run(process.execPath, [tool("typescript-7", "tsc"), "-p", "tsconfig.build.json"], { cwd: root });
  } catch (error) {
    throw new Error(`tsc found errors while writing dist/esm:\n${error.stdout ?? error.message}`);
  }
}

/** The modules that differ between browsers and Node, by the names in package.json. */
const hosts = Object.fromEntries(
  Object.entries(JSON.parse(await readFile(join(root, "package.json"), "utf8")).imports).map(([name, { node, default: browser }]) => {
    const [inNode, inBrowsers] = [node, browser].map((path) => join(root, path.replace(/^\.\/src/, "dist/esm").replace(/ts$/, "js")));
    return [name, { node: inNode, browser: inBrowsers }];
  }),
);

/** Classes that users meet in errors and consoles: entries name them, they extend another one, or they are backends. */
const entryWords = new Set(
  (await Promise.all(Object.values(entryPoints).map((file) => readFile(join(root, file), "utf8")))).flatMap((text) => text.match(/\w+/g)),
);
const backends = ["CpuBackend", "WebGpuBackend"];
const isMet = (line, name) => / extends /.test(line) || entryWords.has(name) || backends.includes(name);

/** Does what tsc does not: the host, shaders, class names. */
async function finishModule(file) {
  let code = await readFile(file, "utf8");
  for (const [name, { browser }] of Object.entries(hosts)) code = code.replace(`"${name}"`, JSON.stringify(specifier(file, browser)));
  code = code.replace(/"(?:\.\.\/)+(shaders\/[\w/-]+)\.group"/g, (_, path) => JSON.stringify(specifier(file, join(esm, `${path}.js`))));
  // Errors and `console.log(model)` show the class's name, also where an app's own build renames it.
  code = code.replace(/^(?:export )?(?:abstract )?class (\w+)[^\n]*\{$/gm, (line, name) =>
    isMet(line, name) ? `${line}\n    static name = "${name}";` : line,
  );
  // Fields without a value, which constructors and methods set: half a kilobyte of what a page loads.
  code = code.replace(/^ {4}(?!return;|break;|continue;)\w+;\n/gm, "");
  // The shapes in kernels' contracts are for readers of the source; without them a page loads a kilobyte less.
  if (/(^|\/)kernels\//.test(toPosix(relative(esm, file)))) code = code.replace(/,\s*shape: "(?:[^"\\]|\\.)*"/g, "");
  // Bundlers may drop unused definitions, although they are calls.
  code = code.replace(/^((?:export )?const \w+ = )(?=(?:new )?\w+\()/gm, "$1/* @__PURE__ */ ");
  await writeFile(file, code);
}

async function finishDeclaration(file) {
  const text = (await readFile(file, "utf8"))
    .replace(/((?:from |import\()"\.[^"]*)\.ts"/g, '$1.js"')
    // Arrays have this type argument since TypeScript 5.7; this says the same where it is known, and compiles elsewhere.
    .replace(/\b(\w+Array)<ArrayBuffer>/g, 'ReturnType<$1["slice"]>');
  await writeFile(file, text.includes("Symbol.dispose") ? `/// <reference lib="esnext.disposable" />\n${text}` : text);
}

/** A module for each group of shaders, from what the finished modules say of their kernels. */
async function groupModules() {
  const [{ kernels }, { declarationsOf }] = await Promise.all(
    ["all-kernels", "webgpu/declarations"].map((name) => import(pathToFileURL(join(esm, "backend", `${name}.js`)).href)),
  );
  const shorten = (text, path) => withoutDeclarations(minifyWgsl(text), path, kernels, declarationsOf);
  const folder = join(root, "shaders");
  for (const name of ["groups", ...Object.keys(await shaderGroups(folder))])
    await write(join(esm, "shaders", `${name}.js`), (await groupModule(name, folder, { shorten })).replaceAll('.group"', '.js"'));
}

/** Puts a package's code, with its licence, into the module that imports it. What else the module imports stays where it is. */
async function bundlePackage({ file, packages }) {
  const licences = await Promise.all(
    packages.map(async (name) => {
      const folder = join(root, "node_modules", name);
      const licence = (await readdir(folder)).find((one) => /^licen[cs]e/i.test(one));
      return `${name}: ${(await readFile(join(folder, licence), "utf8")).trim().replaceAll("*/", "* /")}`;
    }),
  );
  await esbuild.build({
    ...shared,
    entryPoints: [file],
    outfile: join(root, file.replace(/^src/, "dist/esm").replace(/ts$/, "js")),
    allowOverwrite: true,
    legalComments: "none",
    banner: { js: `/*!\n${licences.join("\n\n")}\n*/` },
    plugins: [ownModules],
  });
}

const ownModules = {
  name: "own-modules",
  setup(build) {
    build.onResolve({ filter: /^\./ }, ({ path, kind, importer }) =>
      kind !== "entry-point" && importer.startsWith(join(root, "src")) ? { path: path.replace(/\.ts$/, ".js"), external: true } : undefined,
    );
  },
};

/** Builds dist/esm, with Node's versions of what differs in Node. */
async function modules() {
  await compile();
  await Promise.all([...bundledPackages.map(bundlePackage), ...(await filesIn(esm, ".d.ts")).map(finishDeclaration)]);
  await Promise.all((await filesIn(esm, ".js")).map(finishModule));
  await groupModules();
}

const shared = { absWorkingDir: root, bundle: true, format: "esm", platform: "browser", target: "es2022", logLevel: "warning" };

/**
 * All modules in one file, those that are loaded by import() too. The names that it exports. The line limit is for the
 * list of a lazy module's variables, which esbuild declares in one statement: an error's stack quotes the whole line.
 */
async function single(options) {
  const { metafile } = await esbuild.build({ ...shared, entryPoints: ["dist/esm/all.js"], metafile: true, lineLimit: 200, ...options });
  return Object.values(metafile.outputs)[0].exports;
}

/** The classic script, minified, and the same as a module. */
async function minified(names) {
  await single({ outfile: "build/classic.js", format: "iife", globalName: "webgpuRnn" });
  // Terser makes some 3 % less of it than esbuild. Errors' stacks keep the names of classes.
  const { code } = await minify(await readFile(join(root, "build/classic.js"), "utf8"), { keep_classnames: true });
  await write(join(dist, "classic.min.js"), code);
  await write(join(dist, "webgpu-rnn.min.js"), `${code}\nexport const{${names.join(",")}}=webgpuRnn;\n`);
}

const nodeHost = {
  name: "node-host",
  setup(build) {
    build.onResolve({ filter: /[\\/]host[\\/]/ }, ({ path, resolveDir }) => {
      const to = resolve(resolveDir, path);
      return { path: Object.values(hosts).find(({ browser }) => browser === to)?.node ?? to };
    });
  },
};

/** One CommonJS file, since `import` and `require` must meet the same classes; `import` reaches it by a list of names. */
async function forNode(names) {
  const folder = join(dist, "node");
  await single({ outfile: "dist/node/webgpu-rnn.js", format: "cjs", platform: "node", target: "node20", plugins: [nodeHost] });
  await write(join(folder, "package.json"), '{ "type": "commonjs" }\n');
  for (const [entry, list] of Object.entries(names)) {
    const all = `require("./webgpu-rnn.js")${entry === "ops" ? ".ops" : ""}`;
    await write(
      join(folder, `${entry}.js`),
      `"use strict";\nconst all = ${all};\n${list.map((name) => `exports.${name} = all.${name};\n`).join("")}`,
    );
    await write(
      join(folder, `${entry}.mjs`),
      `import all from "./webgpu-rnn.js";\nexport const {\n${list.map((name) => `  ${name},\n`).join("")}} = all${entry === "ops" ? ".ops" : ""};\n`,
    );
    await write(join(folder, `${entry}.d.mts`), `export * from "./${entry}.js";\n`);
  }
  for (const file of await filesIn(esm, ".d.ts")) await cp(file, join(folder, relative(esm, file)));
}

/** For TypeScript's moduleResolution node10 and for Parcel, which look for a folder of the entry's name. */
async function stubs() {
  for (const entry of Object.keys(entryPoints).filter((name) => name !== "index")) {
    const [name, module] = entry === "static" ? ["all", "static.js"] : [entry, entry === "stream" ? "stream.js" : `esm/${entry}.js`];
    const stub = {
      main: entry === "stream" ? "../dist/stream.cjs" : `../dist/node/${name}.js`,
      module: `../dist/${module}`,
      browser: `../dist/${module}`,
      types: `../dist/node/${name}.d.ts`,
    };
    await write(join(root, entry, "package.json"), `${JSON.stringify(stub, null, 2)}\n`);
  }
}

/** Builds everything and returns the sizes. */
export async function build() {
  await rm(dist, { recursive: true, force: true });
  await modules();
  const namesOf = (entry) => single({ entryPoints: [`dist/esm/${entry}.js`], outfile: `build/names-${entry}.js`, write: false });
  const entries = ["all", ...Object.keys(entryPoints).filter((name) => name !== "static" && name !== "stream")];
  const lists = await Promise.all(entries.map(namesOf));
  await Promise.all([single({ outfile: "dist/static.js" }), single({ outfile: "dist/static.cjs", format: "cjs" })]);
  for (const [file, format] of [
    ["stream.js", "esm"],
    ["stream.cjs", "cjs"],
  ])
    await write(join(dist, file), await bundleStream("dist/esm/stream.js", format));
  await write(join(dist, "ops.cjs"), '"use strict";\nmodule.exports = require("./static.cjs").ops;\n');
  await forNode(Object.fromEntries(entries.map((entry, i) => [entry, lists[i]])));
  await Promise.all(Object.values(hosts).flatMap(({ node }) => [rm(node), rm(node.replace(/js$/, "d.ts"))]));
  await minified(lists[0]);
  // Last, because what Node loads differs in a module that is merged.
  await mergeModules(await filesIn(esm, ".js"));
  await stubs();
  return sizes();
}

// Without await: built.mjs imports this module.
if (import.meta.url === pathToFileURL(process.argv[1]).href) void builtPackage().then(({ result }) => console.log(result));
