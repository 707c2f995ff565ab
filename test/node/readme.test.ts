// Runs the examples of README.md and docs/ unchanged, but on the CPU and for fewer steps.
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { transform } from "esbuild";
import { describe, expect, it } from "vitest";
import { root } from "../../scripts/bundle.mjs";
import { itThoroughly } from "../thorough.ts";

const text = "Call me Ishmael. Some years ago, never mind how long precisely, having little or no money in my purse. ".repeat(25);
const fixtures = ["pytorch-files", "models"].map((name) => join(root, "test", "fixtures", name));
const folder = join(root, "build", "tests");

interface Example {
  readonly name: string;
  readonly code: string;
  /** The block of output behind it, if there is one. */
  readonly output: string | undefined;
}

/** The ```ts blocks of a document, each with its heading. */
function examplesOf(document: string): Example[] {
  const whole = readFileSync(join(root, document), "utf8");
  return [...whole.matchAll(/^```ts\n(.*?)^```\n(?:\n```text\n(.*?)^```$)?/gms)].map(({ 1: code, 2: output, index }) => {
    const heading = [...whole.slice(0, index).matchAll(/^#+ (.*)$/gm)].at(-1)?.[1] ?? "";
    return { name: `${document}: ${heading}`, code, output };
  });
}

/** Replaces what must be there. */
function replaced(code: string, from: string | RegExp, to: string): string {
  expect(code).toMatch(from);
  return code.replace(from, to);
}

interface Fixture {
  readonly shape: number[];
  readonly data: number[];
}

/** A GRU with the reset before the product, as tensorflow.js computed it. */
const keras = JSON.parse(readFileSync(join(root, "test", "fixtures", "reset-before", "gru_reset_before_T5B4I6H17.json"), "utf8")) as {
  layers: [{ weights: Fixture[] }];
  x: Fixture;
  initialStates: [Fixture];
  outputs: [Fixture];
};
/** As Python's tolist gives it. */
const nested = ({ shape: [rows, columns], data }: Fixture): unknown =>
  columns === undefined ? data : Array.from({ length: rows }, (_, i) => data.slice(i * columns, (i + 1) * columns));

/** The surroundings of the examples: a text, and files by relative address. In a block, so that an example may use any name. */
const surroundings = `
const text = ${JSON.stringify(text)};
{
  const { readFile } = await import("node:fs/promises");
  const files = { "gru.json": ${JSON.stringify(JSON.stringify(keras.layers[0].weights.map(nested)))} };
  const folders = ${JSON.stringify(fixtures)};
  globalThis.fetch = async (name) => {
    if (files[name]) return new Response(files[name]);
    const found = await Promise.any(folders.map((folder) => readFile(folder + "/" + name)));
    return new Response(found);
  };
}
`;

/** Behind the example that converts Keras weights: whether the converted layer computes what the original did. */
const kerasCheck = `
const [x, h0, y] = ${JSON.stringify([keras.x, keras.initialStates[0], keras.outputs[0]])};
const kerasResult = await forward(layer, { input: tensor(Float32Array.from(x.data), x.shape), state: { h: tensor(Float32Array.from(h0.data), [1, ...h0.shape]) } }, { backend: await createBackend("cpu") });
console.log("greatest difference", Math.max(...y.data.map((v, i) => Math.abs(v - kerasResult.output.data[i]))));
`;

/** Writes a program into the repository, so that "webgpu-rnn" is the package in dist/, as an app has it. */
async function programOf(name: string, code: string): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${name.toLowerCase().replace(/[^a-z0-9]+/g, "-")}.mjs`);
  writeFileSync(file, (await transform(surroundings + code, { loader: "ts", target: "node20" })).code);
  return file;
}

/** Runs programs one after the other in one process of Node: what each prints, and the error that ends it, if one does. */
function run(files: readonly string[]): { printed: string; error?: string }[] {
  const driver = `
    import { formatWithOptions } from "node:util";
    const results = [];
    let printed;
    console.log = (...values) => void (printed += formatWithOptions({ colors: false }, ...values) + "\\n");
    process.stdout.write = (text) => void (printed += text);
    for (const file of process.argv.slice(1)) {
      printed = "";
      const error = await import(file).then(() => undefined, (error) => String(error?.stack ?? error));
      results.push({ printed, error });
    }
    (await import("node:fs")).writeSync(1, JSON.stringify(results));
    process.exit(0);`;
  const args = ["--input-type=module", "--eval", driver, ...files.map((file) => pathToFileURL(file).href)];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8", maxBuffer: 2 ** 26 })) as {
    printed: string;
    error?: string;
  }[];
}

const readme = examplesOf("README.md");
const pages = readdirSync(join(root, "docs"))
  .filter((name) => name.endsWith(".md"))
  .map((name) => `docs/${name}`);

describe("the README's first example", () => {
  const [{ code }] = readme;

  it("has at most fifteen lines", () => {
    expect(code.trim().split("\n").length).toBeLessThanOrEqual(15);
  });

  it("trains a model and writes text", async () => {
    const short = replaced(replaced(code, /createBackend\([^)]*\)/, 'createBackend("cpu")'), /steps: \d{3,}/, "steps: 2");
    const [{ printed, error }] = run([await programOf("readme", short)]);
    expect(error).toBe(undefined);
    const lines = printed.split("\n");
    for (const step of [1, 2]) expect(lines[step - 1]).toMatch(new RegExp(`^${step} \\d\\.\\d+$`));
    const sample = lines.slice(2).join("\n").trimEnd();
    expect(Array.from(sample).every((c) => text.includes(c))).toBe(true);
    expect(sample.length).toBeGreaterThan(150);
  });
});

describe.each(
  [["README.md", readme.slice(1)] as const, ...pages.map((page) => [page, examplesOf(page)] as const)].filter(
    ([, { length }]) => length > 0,
  ),
)("the examples of %s", (_, examples) => {
  // Gradients over a thousand steps, four times.
  const usual = examples.filter(({ name }) => !name.endsWith("How far gradients reach"));
  let results: Promise<ReturnType<typeof run>> | undefined;
  // Two examples may stand below one heading.
  const program = async ({ name, code }: Example, i = 0): Promise<string> =>
    programOf(
      `${name} ${i}`,
      code.replace(/createBackend\([^)]*\)/, 'createBackend("cpu")') + (code.includes("fromKeras") ? kerasCheck : ""),
    );
  const checked = ({ printed, error }: ReturnType<typeof run>[number], { code, output }: Example): void => {
    expect(error).toBe(undefined);
    expect(printed).not.toBe("");
    // Also where the page does not show what is printed. Errors may quote what came.
    expect(printed.replaceAll(/\bgot NaN\b/g, "")).not.toMatch(/\b(NaN|-?Infinity|undefined)\b|\[object /);
    if (output !== undefined) expect(printed).toBe(output);
    if (code.includes("fromKeras")) expect(Number(/greatest difference (.*)/.exec(printed)?.[1])).toBeLessThan(1e-6);
  };
  it.each(usual.map((example, i) => [example.name, example, i] as const))("%s", async (_, example, i) => {
    results ??= Promise.all(usual.map(program)).then(run);
    checked((await results)[i], example);
  });
  itThoroughly.each(examples.filter((example) => !usual.includes(example)).map((example) => [example.name, example] as const))(
    "%s",
    async (_, example) => checked(run([await program(example)])[0], example),
  );
});

describe("the README", () => {
  it("loads the single file in a page", () => {
    const html = readFileSync(join(root, "README.md"), "utf8");
    const script = /<script type="module">(.*?)<\/script>/s.exec(html)![1];
    mkdirSync(folder, { recursive: true });
    const file = join(folder, "page.mjs");
    writeFileSync(
      file,
      replaced(
        replaced(script, "./webgpu-rnn.min.js", pathToFileURL(join(root, "dist", "webgpu-rnn.min.js")).href),
        "createBackend()",
        'createBackend("cpu")',
      ),
    );
    expect(execFileSync(process.execPath, [file], { encoding: "utf8" })).toMatch(/^cpu on CPU.*: \[ 2, 1, 3 \] Float32Array\(6\)/);
  });
});
