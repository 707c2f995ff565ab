/** CONTRIBUTING.md's recipes for a cell and for a strategy, followed in a copy of the sources: its tests accept both, and refuse mistakes. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { root } from "../../scripts/bundle.mjs";

const copy = mkdtempSync(join(tmpdir(), "recipe-"));

interface Recipe {
  readonly heading: string;
  /** New files. The recipe names them with <name> for `name`. */
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  /** Lines that files which exist already get, each in front of one that is there. */
  readonly lines: readonly (readonly [file: string, before: string, line: string])[];
}

/** A leaky integrator: h_t = 0.9·h_{t-1} + 0.1·tanh(x + r). */
const cellFiles: Readonly<Record<string, string>> = {
  "src/recurrent/cells/leaky.ts": `import type { Cell } from "./cell.ts";
export const leaky: Cell = {
  name: "leaky",
  shader: "leaky",
  gateNames: ["n"],
  states: [],
  usesC: false,
  splitsRecurrentGradient: false,
};
`,
  "src/recurrent/cells/leaky.twin.ts": `import { safeTanh } from "../../kernels/activations.twin.ts";
import type { CellArithmetic } from "./arithmetic.ts";
export const leakyArithmetic = (): CellArithmetic => ({
  forward(x, r, hPrevious) {
    const n = safeTanh(x[0] + r[0]);
    return { gates: [n], h: 0.9 * hPrevious + 0.1 * n, c: 0 };
  },
  backward([n], _hPrevious, _h, _cPrevious, _c, dh) {
    const d = [0.1 * dh * (1 - n * n)];
    return { dGates: d, dRecurrent: d, dhPrevious: 0.9 * dh, dcPrevious: 0 };
  },
});
`,
  "shaders/cells/leaky.wgsl": `// A leaky integrator; equations in src/recurrent/cells/leaky.ts.
fn stateOf(gates: Gates, hPrevious: f32, cPrevious: f32) -> vec2<f32> { return vec2(0.9 * hPrevious + 0.1 * gates.n, 0.0); }

fn cellForward(x: Gates, r: Gates, hPrevious: f32, cPrevious: f32, perUnit: Gates) -> CellForward {
  let gates = Gates(safeTanh(x.n + r.n));
  return CellForward(gates, stateOf(gates, hPrevious, cPrevious).x, 0.0);
}

fn cellBackward(gates: Gates, hPrevious: f32, h: f32, cPrevious: f32, c: f32, dh: f32, dc: f32, perUnit: Gates) -> CellBackward {
  let d = Gates(0.1 * dh * (1.0 - gates.n * gates.n));
  return CellBackward(d, d, 0.9 * dh, 0.0);
}
`,
};

const cell: Recipe = {
  heading: "Adding a cell",
  name: "leaky",
  files: cellFiles,
  lines: [
    ["src/recurrent/cells/all-cells.ts", "import { lstm, ", 'import { leaky } from "./leaky.ts";'],
    ["src/recurrent/cells/all-cells.ts", "import { lstmArithmetic }", 'import { leakyArithmetic } from "./leaky.twin.ts";'],
    ["src/recurrent/cells/all-cells.ts", "  [rnnArithmetic,", "  [leakyArithmetic, [leaky]],"],
  ],
};

/** A strategy that computes what the scan does, by kernels of its own. */
const sweepOf = (path: string): string =>
  readFileSync(join(root, path), "utf8")
    .replace(/(?<!lib\/)\bscan(?!ned)/g, "sweep")
    .replace(/Scan/g, "Sweep");
const strategy: Recipe = {
  heading: "Adding a strategy",
  name: "sweep",
  files: {
    "src/recurrent/strategies/sweep.ts": sweepOf("src/recurrent/strategies/scan.ts"),
    "src/recurrent/strategies/sweep.twin.ts": sweepOf("src/recurrent/strategies/scan.twin.ts"),
    "shaders/strategies/sweep-forward.wgsl": sweepOf("shaders/strategies/scan-forward.wgsl"),
    "shaders/strategies/sweep-backward.wgsl": sweepOf("shaders/strategies/scan-backward.wgsl"),
  },
  lines: [
    ["src/recurrent/strategies/all-strategies.ts", "import { step, ", 'import { sweep } from "./sweep.ts";'],
    ["src/recurrent/strategies/all-strategies.ts", "wavefront, step }", "sweep,"],
    ["src/recurrent/strategies/families.ts", "import { twoPhaseFamily }", 'import { sweepFamily } from "./sweep.twin.ts";'],
    ["src/recurrent/strategies/families.ts", "scanFamily, ", "sweepFamily,"],
  ],
};

/** Runs a layer by it. */
const strategyTest = `import { expect, it } from "vitest";
import { gradients, MinGRU } from "webgpu-rnn";
import { backend, expectClose, kinds, numbers } from "./support.ts";
it.each(kinds)("sweep, asked for, gives what steps give, on %s", async (kind) => {
  const layer = new MinGRU(2, 5, { seed: 1 });
  const run = (strategy) =>
    backend(kind).then((on) =>
      gradients(layer, { input: { shape: [40, 3, 2], data: numbers(240) } }, { output: { shape: [40, 3, 5], data: numbers(600) } }, { backend: on, strategy }),
    );
  const [one, other] = [await run("sweep"), await run("step")];
  expectClose("output", one.output.data, other.output.data);
  for (const [path, { data }] of Object.entries(other.gradients.parameters)) expectClose(path, one.gradients.parameters[path].data, data);
  expect(one.output.data.some((y) => y !== 0)).toBe(true);
});
`;

function insert(file: string, before: string, line: string): void {
  const text = readFileSync(join(copy, file), "utf8");
  const at = text.indexOf(before);
  expect(at, `${file} has "${before}"`).toBeGreaterThanOrEqual(0);
  writeFileSync(join(copy, file), `${text.slice(0, at)}${line}\n${text.slice(at)}`);
}

/** Runs the tests of a file whose names have the word. */
function testsOf(file: string, word: string): { passed: number; failed: number } {
  const report = join(copy, "report.json");
  rmSync(report, { force: true });
  const args = [join(root, "node_modules/vitest/vitest.mjs"), "run", file, "-t", word, "--reporter=json", `--outputFile=${report}`];
  const { stderr } = spawnSync(process.execPath, args, { cwd: copy, encoding: "utf8", maxBuffer: 2 ** 28 });
  try {
    const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(report, "utf8")) as Record<string, number>;
    return { passed: numPassedTests, failed: numFailedTests };
  } catch {
    throw new Error(`no report of ${file}: ${stderr.slice(-2000)}`);
  }
}

beforeAll(() => {
  for (const part of ["src", "shaders", "scripts", "test", "package.json", "tsconfig.json", "vitest.config.ts"])
    cpSync(join(root, part), join(copy, part), { recursive: true, filter: (path) => !path.includes("node_modules") });
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"), "junction");
  for (const { files, lines } of [cell, strategy]) {
    for (const [file, text] of Object.entries(files)) writeFileSync(join(copy, file), text);
    for (const line of lines) insert(...line);
  }
  writeFileSync(join(copy, "test/device/sweep.test.ts"), strategyTest);
});

afterAll(() => rmSync(copy, { recursive: true, force: true }));

describe.each([
  {
    recipe: cell,
    most: 5,
    tests: ["test/contract/recurrent-gradients.test.ts", "test/contract/kernels.test.ts", "test/device/kernels.test.ts"],
    mistakes: [
      ["a wrong derivative", "src/recurrent/cells/leaky.twin.ts", "(1 - n * n)", "(1 - n)", "test/contract/recurrent-gradients.test.ts"],
      ["a shader that differs from its twin", "shaders/cells/leaky.wgsl", "0.9 * dh, 0.0", "dh, 0.0", "test/device/kernels.test.ts"],
    ],
  },
  {
    recipe: strategy,
    most: 6,
    tests: ["test/contract/kernels.test.ts", "test/device/kernels.test.ts", "test/device/sweep.test.ts"],
    mistakes: [
      [
        "a shader that differs from its twin",
        "shaders/strategies/sweep-forward.wgsl",
        "hasStep(",
        "!hasStep(",
        "test/device/kernels.test.ts",
      ],
    ],
  },
])("what is added as CONTRIBUTING.md says under $recipe.heading", ({ recipe: { heading, name, files, lines }, most, tests, mistakes }) => {
  it("takes the files that the recipe names, and few", () => {
    const text = readFileSync(join(root, "CONTRIBUTING.md"), "utf8").split(`## ${heading}`)[1].split("\n## ")[0];
    for (const file of Object.keys(files)) {
      const [folder, ending] = [file.slice(0, file.lastIndexOf("/")), file.slice(file.lastIndexOf("/") + 1 + name.length)];
      expect(text).toContain(`\`<name>${ending}\` in \`${folder}/\``);
    }
    for (const [file] of lines) expect(text).toContain(`(${file})`);
    expect(new Set([...Object.keys(files), ...lines.map(([file]) => file)]).size).toBeLessThanOrEqual(most);
  });

  it("is accepted by the tests that are there", () => {
    for (const file of tests) {
      const { passed, failed } = testsOf(file, name);
      expect(failed, file).toBe(0);
      expect(passed, file).toBeGreaterThan(0);
    }
  });

  it.each(mistakes)("is refused with %s", (_, file, from, to, refusing) => {
    const text = readFileSync(join(copy, file), "utf8");
    expect(text).toContain(from);
    writeFileSync(join(copy, file), text.replace(from, to));
    try {
      expect(testsOf(refusing, name).failed).toBeGreaterThan(0);
    } finally {
      writeFileSync(join(copy, file), text);
    }
  });
});
