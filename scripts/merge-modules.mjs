// Merges modules of dist/esm that are always loaded together: one module is compressed much better than eighty, and a
// bundler that divides an app makes one file of it where it would make thirty.
//   core.js        what every model runs on, and what both backends share
//   derivatives.js the backward passes, for whoever differentiates
//   cpu.js         the rest of the CPU backend
//   webgpu.js      the rest of the WebGPU backend, with the shaders that most models need
//   step-times.js  how long time steps take, for the WebGPU backend and for chooseStrategy
//   operations.js  the operations that imported graphs are made of, without most of their kernels; batchFirst takes its
//                  copies from it. What they and it import from each other is in it too: bundlers complain of a circle
//   gru.js         small modules of one purpose
//   onnx.js        what a graph of ONNX is made with, whether a file of ONNX or a saved model describes it
// All other modules stay as they are, so that a bundler leaves out whole what a program does not import; within the
// merged ones, it drops unused definitions.
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import * as esbuild from "esbuild";
import { root } from "./bundle.mjs";

const esm = join(root, "dist", "esm");
const file = (name) => join(esm, `${name}.js`);

/**
 * Each module with the modules in which it begins; `shared` names the modules of which it has what all of them import,
 * `within` the beginnings of paths to which it keeps.
 */
const groups = [
  {
    name: "core",
    begins: [
      "backend/create-backend",
      "session/session",
      "session/plan",
      "tensor/any-numbers",
      "kernels/device-profile",
      "recurrent/layer/recurrent-layer",
      "recurrent/layer/lstm",
      "autodiff/embedding",
      "backend/breathe",
      "backend/clock",
    ],
    shared: ["backend/cpu/cpu-backend", "backend/webgpu/create-webgpu"],
  },
  { name: "cpu", begins: ["backend/cpu/cpu-backend"] },
  {
    name: "steps",
    begins: [
      "train/optimizer-state",
      "kernels/losses",
      "kernels/cross-entropy",
      "kernels/sample-token",
      "recurrent/kernels/loop.backward",
      "session/carried-states",
      "session/reading",
      "nn/steps-alike",
    ],
  },
  { name: "derivatives", begins: ["recurrent/derivatives"] },
  // What chooseStrategy needs of it.
  { name: "step-times", begins: ["recurrent/strategies/step-times"], within: ["recurrent/strategies/"] },
  { name: "webgpu", begins: ["backend/webgpu/create-webgpu"] },
  // Small modules that one of them always imports.
  {
    name: "gru",
    begins: ["recurrent/layer/gru", "recurrent/layer/rnn"],
    within: ["layer/gru", "layer/rnn", "cells/gru", "cells/rnn"].map((name) => `recurrent/${name}`),
  },
  // Derivatives that layers have without operations stay apart: a page with such a layer would load them all.
  {
    name: "operations",
    begins: ["elementwise", "tensors", "axes", "parts"].map((name) => `nn/ops/${name}`),
    within: [
      "nn/ops/",
      "autodiff/parts",
      "autodiff/layout",
      "autodiff/unary",
      "autodiff/reduce",
      "autodiff/pick",
      "autodiff/turn",
      "autodiff/elementwise",
      "kernels/binary",
      "nn/dropout",
      "nn/drop-elements",
      "autodiff/dropout",
      "kernels/dropout",
    ],
  },
  { name: "onnx", begins: ["formats/onnx/model"], within: ["formats/onnx/"] },
];

/**
 * Modules that get a copy of what they import from the list, which has no state. esbuild would load it at the start of
 * every app: what index.js names and import() reaches too counts as used.
 */
const copying = [
  "train/trainer",
  "train/checkpoint",
  "stream/stream-state",
  "io/safetensors",
  "backend/webgpu/stopwatch",
  "backend/webgpu/all-shaders",
  "backend/all-kernels",
  "kernels/optimizers.twin",
  "stream/device-recordings",
  "verify/verification",
].map(file);
const copied = [
  "io/safetensors",
  "io/bytes",
  "io/utf8",
  "tensor/half",
  "backend/webgpu/constants",
  "backend/webgpu/unpack-shaders",
  "recurrent/kernels/cell-structs",
  "generate/sampling",
  "kernels/optimizers",
  "session/keep-first-states",
].map(file);

/**
 * Modules that only pass on what others have. An app that imports one name of them by `export { name } from` would make
 * esbuild load at the start whatever the module passes on and import() reaches too, such as the layers that the reader of
 * a format makes. It does not follow `export *`, so each of them passes on small modules that name one origin.
 */
const passing = ["index", "formats", "inspect", "language", "nn/ops"].map(file);

const options = { absWorkingDir: root, format: "esm", platform: "browser", target: "es2022", logLevel: "warning", write: false };
const posix = (path) => path.split(sep).join("/");

/** The path from one file to another as an import says it. */
export function specifier(from, to) {
  const path = posix(relative(dirname(from), to));
  return path.startsWith(".") ? path : `./${path}`;
}

/** What each file imports, without import(), and the names that it exports. */
async function readModules(files) {
  const { metafile } = await esbuild.build({ ...options, entryPoints: files, outdir: "build/modules", bundle: false, metafile: true });
  return new Map(
    Object.values(metafile.outputs).map(({ entryPoint, exports, imports }) => {
      const at = join(root, entryPoint);
      const from = imports.filter(({ kind }) => kind === "import-statement").map(({ path }) => resolve(dirname(at), path));
      return [at, { exports, imports: from }];
    }),
  );
}

/** The files, those that they import, and so on. */
function reached(modules, files, found = new Set()) {
  for (const one of files) {
    if (found.has(one)) continue;
    found.add(one);
    reached(modules, modules.get(one).imports, found);
  }
  return found;
}

/** The names in an import or export statement: its own here, and the one there. */
const namesIn = (list) =>
  list
    .split(",")
    .map((one) => one.trim().split(" as "))
    .filter(([name]) => name !== "")
    .map(([there, here = there]) => [here, there]);

/** Stands for a file that imports another one by import(). */
const whole = "import()";

/**
 * The names of each file that others import, with the files that import them; import() takes all names. A merged module
 * exports no others: a bundler that divides an app would list them all.
 */
async function readUses(modules) {
  const uses = new Map([...modules.keys()].map((one) => [one, new Map()]));
  const use = (by, path, names) => {
    const users = uses.get(path);
    for (const name of users ? names : []) users.set(name, [...(users.get(name) ?? []), by]);
  };
  for (const by of modules.keys()) {
    const text = await readFile(by, "utf8");
    const at = (from) => resolve(dirname(by), from);
    for (const [, list, from] of text.matchAll(/^(?:import|export) \{([^}]*)\} from "([^"]+)";$/gm))
      use(by, at(from), new Map(namesIn(list)).values());
    for (const [, from] of text.matchAll(/^(?:import|export) \*[^"]*"([^"]+)";$/gm)) use(by, at(from), modules.get(at(from)).exports);
    for (const [, from] of text.matchAll(/\bimport\("([^"]+)"\)/g)) use(whole, at(from), modules.get(at(from))?.exports);
  }
  return uses;
}

/** For each merged file its group and the names that its exports have there. */
function divide(modules, uses) {
  const places = new Map();
  const lists = new Map();
  for (const { name, begins, shared = [], within = [""] } of groups) {
    const isWithin = (one) => within.some((beginning) => one.startsWith(join(esm, beginning)));
    const first = begins.map(file);
    const [some, ...others] = shared.map((one) => reached(modules, [file(one)]));
    const common = some ? [...some].filter((one) => others.every((other) => other.has(one))) : [];
    const all = [...reached(modules, [...first, ...common])].filter((one) => !places.has(one) && isWithin(one));
    // What import() reaches keeps its names.
    const ordered = [...new Set([...first, ...all])];
    const taken = new Set();
    for (const one of ordered) {
      const names = new Map();
      const isUsed = (name) =>
        uses
          .get(one)
          .get(name)
          ?.some((by) => !ordered.includes(by));
      for (const exported of modules.get(one).exports.filter(isUsed)) {
        let free = exported;
        for (let n = 2; free === "default" || taken.has(free); n++) free = `${exported}$${n}`;
        names.set(exported, free);
        taken.add(free);
      }
      places.set(one, { group: name, names });
    }
    lists.set(name, ordered);
  }
  return { places, lists };
}

/** Modules import what was merged from where it is now; of each group's own files it is made. */
const redirect = (places, group) => ({
  name: "redirect",
  setup(build) {
    build.onResolve({ filter: /./ }, ({ path, kind, resolveDir, importer, namespace, pluginData }) => {
      if (kind === "entry-point") return undefined;
      const from = pluginData?.from ?? (group ? file(group) : importer);
      const to = resolve(resolveDir, path);
      const place = places.get(to);
      const external = (at) => ({ path: specifier(from, at), external: true, sideEffects: false });
      if (namespace === "merged") return external(to);
      if (copying.includes(importer) && copied.includes(to)) return { path: to, sideEffects: false };
      if (!place || kind === "dynamic-import") return external(to);
      if (place.group === group) return { path: to, sideEffects: false };
      return {
        path: `${posix(relative(esm, to))}?from=${posix(relative(esm, from))}`,
        namespace: "merged",
        pluginData: { to, from },
        sideEffects: false,
      };
    });
    build.onLoad({ filter: /./, namespace: "merged" }, ({ pluginData }) => {
      const { group: name, names } = places.get(pluginData.to);
      return { contents: reexport(names, file(name), true), resolveDir: esm, pluginData };
    });
  },
});

function reexport(names, from, back = false) {
  const list = [...names].map(([own, there]) => (back ? `${there} as ${own}` : `${own} as ${there}`));
  return `export {\n  ${list.join(",\n  ")}\n} from ${JSON.stringify(from)};\n`;
}

/** A module that passes on what others have, as modules that each name one origin: path and text of all. */
function divideByOrigin(path, text) {
  const origins = new Map();
  for (const [, list, from] of text.matchAll(/^import \{([^}]*)\} from "([^"]+)";$/gm))
    for (const [here, there] of namesIn(list)) origins.set(here, { there, from });
  const byOrigin = new Map();
  for (const [, list] of text.matchAll(/^export \{([^}]*)\};$/gm))
    for (const [exported, own] of namesIn(list)) {
      const origin = origins.get(own);
      if (!origin) throw new Error(`${path} must only pass on what it imports, but has ${own}`);
      byOrigin.set(origin.from, new Map(byOrigin.get(origin.from)).set(origin.there, exported));
    }
  const name = posix(relative(esm, path)).replace(/\.js$/, "").replaceAll("/", "-");
  const parts = [...byOrigin].map(([from, names], i) => {
    const part = join(esm, "exports", `${name}-${i}.js`);
    return { path: part, contents: reexport(names, specifier(part, resolve(dirname(path), from))) };
  });
  const whole = text.match(/^export \* from "[^"]+";$/gm) ?? [];
  const passed = [...whole, ...parts.map((part) => `export * from "${specifier(path, part.path)}";`)];
  return [...parts, { path, contents: `${passed.join("\n")}\n` }];
}

/** Rewrites dist/esm. @param files all its modules */
export async function mergeModules(files) {
  const modules = await readModules(files);
  const uses = await readUses(modules);
  const { places, lists } = divide(modules, uses);
  const build = (more, group) => esbuild.build({ ...options, bundle: true, plugins: [redirect(places, group)], ...more });
  const built = await Promise.all([
    build({ entryPoints: files.filter((one) => !places.has(one)), outdir: esm, outbase: esm }),
    ...[...lists].map(([name, members]) => {
      const contents = members.map((one) => reexport(places.get(one).names, one)).join("");
      return build({ stdin: { contents, resolveDir: esm, sourcefile: file(name) }, outfile: file(name) }, name);
    }),
  ]);
  await Promise.all([...places.keys()].map((one) => rm(one)));
  // What import() reaches has a module of its own, with its own names only: a bundler lists all that it can reach.
  const reachedLater = [...places].filter(([one]) => [...uses.get(one).values()].some((by) => by.includes(whole)));
  await Promise.all(reachedLater.map(([one, { group, names }]) => writeFile(one, reexport(names, specifier(one, file(group)), true))));
  const written = built.flatMap(({ outputFiles }) =>
    outputFiles.flatMap(({ path, contents, text }) => (passing.includes(path) ? divideByOrigin(path, text) : [{ path, contents }])),
  );
  await mkdir(join(esm, "exports"));
  await Promise.all(written.map(({ path, contents }) => writeFile(path, contents)));
}
