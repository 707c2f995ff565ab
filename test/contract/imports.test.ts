// The layers of src/ import in one direction. What each folder may import is listed here; ARCHITECTURE.md
// draws them. A folder may always import from itself.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { bundledPackages, entryPoints } from "../../scripts/bundle.mjs";

const kernels = ["kernels", "recurrent/cells", "recurrent/kernels"];
const base = ["errors", "disposable", "options", "part", "tensor", ...kernels, "recording", "recurrent/strategies"];
const model = [...base, "autodiff", "recurrent", "nn", "recurrent/layer", "losses", "optim"];
const session = [...model, "backend", "session"];

const mayImport: Record<string, readonly string[]> = {
  errors: [],
  disposable: [],
  options: ["errors"],
  part: ["errors"],
  // What browsers and Node have differently; imported as "#host" and "#thread".
  host: [],
  tensor: ["errors"],
  kernels: ["errors", "tensor"],
  // What is recurrent stands in one folder, in five layers: cells, kernels, strategies, the op, and the modules.
  "recurrent/cells": ["errors", "tensor", "kernels"],
  "recurrent/kernels": ["errors", "tensor", "kernels", "recurrent/cells"],
  "recurrent/strategies": ["errors", "tensor", ...kernels],
  recording: ["errors", "tensor", ...kernels],
  // backend and autodiff stand side by side: a backend knows recordings, ops know what to record.
  backend: [...base, "host"],
  autodiff: base,
  recurrent: [...base, "autodiff"],
  nn: [...base, "autodiff", "recurrent"],
  "recurrent/layer": [...base, "autodiff", "recurrent", "nn"],
  losses: [...base, "autodiff"],
  optim: [...base, "autodiff"],
  session: [...model, "backend"],
  // Formats and batches know nothing of models; training writes the one and reads the other.
  io: ["errors", "options", "tensor"],
  data: ["errors", "options", "tensor"],
  train: [...session, "io", "data"],
  generate: [...session, "data"],
  // A stream keeps its states in files, and its own entry reads models from files.
  stream: [...session, "io", "saving"],
  // Verification runs the recordings of training and generation.
  verify: [...session, "train", "generate", "data"],
  language: [...session, "train", "data"],
  // A file of a model names the classes of its modules.
  saving: [...model, "io", "language"],
  // Readers of other programs' files build models of what they find.
  formats: [...model, "io", "saving"],
  entries: [...session, "train", "stream", "generate", "io", "data", "verify", "language", "saving", "formats"],
};

/** What a layer hands on without looking inside; it may name its type. */
const mayName: Record<string, readonly string[]> = {
  kernels: ["recurrent/kernels"],
  recording: ["recurrent/strategies"],
  autodiff: ["recurrent"],
  "recurrent/strategies": ["recording", "autodiff", "recurrent"],
};

/** `types`: erased by the compiler, so nothing is loaded. */
interface Import {
  readonly to: string;
  readonly how: "static" | "dynamic" | "types";
  /** Within `new Part(…)`. */
  readonly inPart?: boolean;
}

/** Everything a source file reaches for: its imports, and the WebGPU names it uses. */
interface Reach {
  readonly imports: readonly Import[];
  readonly gpuNames: readonly string[];
}

const isInPart = (node: ts.Node): boolean =>
  (ts.isNewExpression(node) && node.expression.getText() === "Part") || (!ts.isSourceFile(node) && isInPart(node.parent));

function reachOf(file: string, text: string): Reach {
  const imports: Import[] = [];
  const gpuNames = new Set<string>();
  const constants = new Map<string, string>();
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      imports.push({
        to: (node.moduleSpecifier as ts.StringLiteral).text,
        how: node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword ? "types" : "static",
      });
    } else if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined) {
      imports.push({ to: (node.moduleSpecifier as ts.StringLiteral).text, how: node.isTypeOnly ? "types" : "static" });
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      imports.push({ to: (node.argument.literal as ts.StringLiteral).text, how: "types" });
    } else if (
      ts.isVariableDeclaration(node) &&
      ts.isIdentifier(node.name) &&
      node.initializer !== undefined &&
      ts.isStringLiteralLike(node.initializer)
    ) {
      constants.set(node.name.text, node.initializer.text);
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const target = node.arguments[0];
      // A name kept in a constant hides an optional package from bundlers; anything else cannot be checked.
      const to = ts.isStringLiteralLike(target) ? target.text : constants.get(target.getText());
      imports.push({ to: to ?? `(computed: ${target.getText()})`, how: "dynamic", inPart: isInPart(node) });
    } else if (ts.isIdentifier(node) && /^GPU[A-Z]/.test(node.text)) {
      gpuNames.add(node.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true));
  return { imports, gpuNames: [...gpuNames] };
}

/** Groups of shaders have import() in code that is made for them (scripts/wgsl-plugin.mjs). */
const groupFiles = ["shaders", "all-shaders"].map((name) => `src/backend/webgpu/${name}.ts`);

const entries = new Set(Object.values(entryPoints));

/** `src/nn/lstm.ts` and `src/session.ts` belong to the layers `nn` and `session`, what programs import to `entries`. Paths use `/`. */
const layerOf = (path: string) =>
  entries.has(path) ? "entries" : /^src\/(recurrent\/(?:cells|kernels|strategies|layer)(?=\/)|[^/]+?(?=\/|(?:\.d)?\.ts$))/.exec(path)![1];
const inWebgpu = (path: string) => path.startsWith("src/backend/webgpu/");

/** Every rule that one file breaks, as a sentence that names the file and the import. */
function violations(file: string, text: string): string[] {
  const layer = layerOf(file);
  const allowed = mayImport[layer];
  if (allowed === undefined) return [`${file}: "${layer}" is no known layer; add it to mayImport in test/contract/imports.test.ts`];
  const { imports, gpuNames } = reachOf(file, text);
  const found: string[] = [];
  for (const { to, how, inPart } of imports) {
    const complain = (why: string) => found.push(`${file}: ${how === "dynamic" ? "import()" : "import"} "${to}": ${why}`);
    const host = hosts[to];
    if (!to.startsWith(".") && host === undefined) {
      if (bundled.get(file)?.includes(to)) continue;
      const forNode = nodeFiles.includes(file) && how === "dynamic" && (to === "webgpu" || to.startsWith("node:"));
      if (!forNode) complain(`the package has no dependencies; only ${nodeFiles.join(" and ")} load webgpu and node:*, by import()`);
      continue;
    }
    if (how === "dynamic" && !inPart) complain("code of the package is loaded by a Part, which says in words what failed");
    const target =
      host?.default ??
      relative(".", resolve(dirname(file), to))
        .split(sep)
        .join("/");
    if (target.startsWith("shaders/")) {
      if (layer !== "kernels" && layer !== "backend") complain("only kernels and backend read shaders");
      if (target.endsWith(".group") && !groupFiles.includes(file)) complain(`only ${groupFiles.join(" and ")} load groups, each as a Part`);
      continue;
    }
    if (!target.startsWith("src/")) {
      complain("src imports nothing outside src and shaders");
      continue;
    }
    const targetLayer = layerOf(target);
    const named = how === "types" && mayName[layer]?.includes(targetLayer);
    if (targetLayer !== layer && !allowed.includes(targetLayer) && !named) complain(`${layer} may not import ${targetLayer}`);
    if (inWebgpu(target) && !inWebgpu(file) && how === "static") complain("src/backend/webgpu/ is loaded only by dynamic import()");
  }
  if (gpuNames.length > 0 && !inWebgpu(file))
    found.push(`${file}: names ${gpuNames.join(", ")}; only src/backend/webgpu/ knows WebGPU's types`);
  return found;
}

const root = fileURLToPath(new URL("../..", import.meta.url));

/** The files behind "#host" and "#thread", as package.json has them. */
const hosts = (
  JSON.parse(readFileSync(join(root, "package.json"), "utf8").replaceAll("./src/", "src/")) as {
    imports: Partial<Record<string, { node: string; default: string }>>;
  }
).imports;
const nodeFiles = Object.values(hosts).map((host) => host!.node);

/** Packages whose code the build puts into the one file that imports them. */
const bundled = new Map(bundledPackages.map(({ file, packages }) => [file, packages]));

const sources = readdirSync(join(root, "src"), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith(".ts") && entry.name !== "wgsl.d.ts")
  .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join("/"))
  .filter((file) => !file.startsWith("src/backend/cpu/wasm/"));

describe("imports of src/", () => {
  it("point one way", () => {
    expect(sources.flatMap((file) => violations(file, readFileSync(join(root, file), "utf8")))).toEqual([]);
  });
});

describe("the import check itself", () => {
  it.each([
    [
      "an upward import",
      "src/tensor/a.ts",
      'import { x } from "../nn/b.ts";',
      'src/tensor/a.ts: import "../nn/b.ts": tensor may not import nn',
    ],
    ["a type-only one", "src/autodiff/a.ts", 'import type { X } from "../backend/cpu/b.ts";', "autodiff may not import backend"],
    ["a re-export", "src/backend/a.ts", 'export * from "../autodiff/b.ts";', "backend may not import autodiff"],
    ["a type query", "src/optim/a.ts", 'type T = typeof import("../session.ts");', "optim may not import session"],
    ["a static import of the WebGPU backend", "src/session.ts", 'import "./backend/webgpu/index.ts";', "only by dynamic import()"],
    ["a package", "src/io/a.ts", 'import chalk from "chalk";', "no dependencies"],
    ["a static import of Node", "src/host/node.ts", 'import fs from "node:fs";', "no dependencies"],
    ["an import of Node elsewhere", "src/backend/cpu/a.ts", 'await import("node:fs");', "no dependencies"],
    ["an import() without a Part", "src/nn/a.ts", 'const b = () => import("./b.ts");', "loaded by a Part"],
    ["the host where there is no device", "src/nn/a.ts", 'import { dawn } from "#host";', "nn may not import host"],
    ["a shader outside kernels", "src/nn/a.ts", 'import s from "../../shaders/a.wgsl";', "only kernels and backend read shaders"],
    ["a group of shaders elsewhere", "src/backend/a.ts", 'import { groups } from "../../shaders/index.group";', "each as a Part"],
    ["a package by a computed name", "src/backend/webgpu/a.ts", 'const name = "chalk"; await import(name);', "no dependencies"],
    ["a GPU type", "src/session.ts", "let device: GPUDevice;", "names GPUDevice"],
    ["an unknown folder", "src/utils/a.ts", "", '"utils" is no known layer'],
  ])("reports %s", (_, file, text, message) => {
    const found = violations(file, text);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(message);
  });

  it("accepts the ways that are meant", () => {
    expect(violations("src/backend/create.ts", 'const b = new Part("b", async () => (await import("./webgpu/index.ts")).b);')).toEqual([]);
    expect(violations("src/backend/webgpu/a.ts", 'import { b } from "./b.ts"; import { dawn } from "#host"; let d: GPUDevice;')).toEqual(
      [],
    );
    expect(violations("src/kernels/a.ts", 'import s from "../../shaders/a.wgsl"; import { e } from "../errors.ts";')).toEqual([]);
    expect(violations("src/backend/create.ts", 'import type { Options } from "./webgpu/index.ts";')).toEqual([]);
    expect(violations("src/host/node.ts", 'const dawn = "webgpu"; await import(dawn); await import("node:fs/promises");')).toEqual([]);
  });
});

it("device tests ask of Vitest only what test/browser/vitest.ts gives them in a page", () => {
  const folder = fileURLToPath(new URL("../device/", import.meta.url));
  const shim = readFileSync(fileURLToPath(new URL("../browser/vitest.ts", import.meta.url)), "utf8");
  const namesIn = (list: string): string[] => list.split(",").map((name) => name.trim());
  const given = [...shim.matchAll(/^export \{([^}]*)\} from/gm)].flatMap(([, list]) => namesIn(list));
  given.push(...[...shim.matchAll(/^export const (\w+)/gm)].map(([, name]) => name));
  expect(given).toContain("expect");
  const asked = readdirSync(folder)
    .filter((name) => name.endsWith(".ts"))
    .flatMap((name) => {
      const imports = readFileSync(join(folder, name), "utf8").matchAll(/^import \{([^}]*)\} from "vitest";/gm);
      return [...imports].flatMap(([, list]) => namesIn(list)).map((what) => ({ name, what }));
    });
  expect(asked.length).toBeGreaterThan(100);
  expect(asked.filter(({ what }) => !what.startsWith("type ") && what !== "" && !given.includes(what))).toEqual([]);
});
