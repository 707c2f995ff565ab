/** The recipe for a cell in CONTRIBUTING.md, followed in a copy of the sources: its tests accept the cell, and refuse it with a mistake. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { root } from "../../scripts/bundle.mjs";

const copy = mkdtempSync(join(tmpdir(), "recipe-"));

/** A leaky integrator: h_t = 0.9·h_{t-1} + 0.1·tanh(x + r). */
const files: Readonly<Record<string, string>> = {
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

/** Lines that files which exist already get, each in front of one that is there. */
const lines: readonly (readonly [file: string, before: string, line: string])[] = [
  ["src/recurrent/cells/all-cells.ts", "import { lstm, ", 'import { leaky } from "./leaky.ts";'],
  ["src/recurrent/cells/all-cells.ts", "import { lstmArithmetic }", 'import { leakyArithmetic } from "./leaky.twin.ts";'],
  ["src/recurrent/cells/all-cells.ts", "  [rnnArithmetic,", "  [leakyArithmetic, [leaky]],"],
];

function insert(file: string, before: string, line: string): void {
  const text = readFileSync(join(copy, file), "utf8");
  const at = text.indexOf(before);
  expect(at, `${file} has "${before}"`).toBeGreaterThanOrEqual(0);
  writeFileSync(join(copy, file), `${text.slice(0, at)}${line}\n${text.slice(at)}`);
}

/** Runs the tests of a file that name the cell. */
function testsOf(file: string): { passed: number; failed: number } {
  const report = join(copy, "report.json");
  rmSync(report, { force: true });
  const args = [join(root, "node_modules/vitest/vitest.mjs"), "run", file, "-t", "leaky", "--reporter=json", `--outputFile=${report}`];
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
  for (const [file, text] of Object.entries(files)) writeFileSync(join(copy, file), text);
  for (const line of lines) insert(...line);
});

afterAll(() => rmSync(copy, { recursive: true, force: true }));

describe("a cell that is added as CONTRIBUTING.md says", () => {
  it("takes the files that the recipe names", () => {
    const recipe = readFileSync(join(root, "CONTRIBUTING.md"), "utf8").split("## Adding a cell")[1].split("\n## ")[0];
    for (const file of Object.keys(files)) {
      const [folder, name] = [file.slice(0, file.lastIndexOf("/")), file.slice(file.lastIndexOf("/") + 1)];
      expect(recipe).toContain(`\`<name>${name.slice("leaky".length)}\` in \`${folder}/\``);
    }
    for (const [file] of lines) expect(recipe).toContain(`(${file})`);
  });

  it("is held to finite differences, contracts and its twin on the device", () => {
    for (const file of ["test/contract/recurrent-gradients.test.ts", "test/contract/kernels.test.ts", "test/device/kernels.test.ts"]) {
      const { passed, failed } = testsOf(file);
      expect(failed, file).toBe(0);
      expect(passed, file).toBeGreaterThan(0);
    }
  });

  it.each([
    ["a wrong derivative", "src/recurrent/cells/leaky.twin.ts", "(1 - n * n)", "(1 - n)", "test/contract/recurrent-gradients.test.ts"],
    ["a shader that differs from its twin", "shaders/cells/leaky.wgsl", "0.9 * dh, 0.0", "dh, 0.0", "test/device/kernels.test.ts"],
  ])("is refused with %s", (_, file, from, to, tests) => {
    const text = readFileSync(join(copy, file), "utf8");
    expect(text).toContain(from);
    writeFileSync(join(copy, file), text.replace(from, to));
    try {
      expect(testsOf(tests).failed).toBeGreaterThan(0);
    } finally {
      writeFileSync(join(copy, file), text);
    }
  });
});
