// Each WGSL file says the same as its TypeScript contract: bindings, params, files. No GPU is needed.
import { readdirSync, readFileSync } from "node:fs";
import { relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { allShaders, allTexts } from "../../src/backend/webgpu/all-shaders.ts";
import { common, shaderText } from "../../src/backend/webgpu/shaders.ts";
import type { Kernel } from "../../src/kernels/kernel.ts";
import type { DeviceProfile } from "../../src/kernels/device-profile.ts";
import { chooseMatmul, chooseMatmulWithSums, type MatmulParams } from "../../src/kernels/matmul.ts";
import { kernels } from "../../src/backend/all-kernels.ts";
import { Measured } from "../../src/recurrent/strategies/measured.ts";
import { cellText } from "../../src/recurrent/kernels/cell-structs.ts";
import { packageVersion } from "../../src/kernels/self-test.ts";

const shaders = await allShaders(common);

const withoutComments = (source: string): string => source.replace(/\/\/.*/g, "");
/** WGSL that is made from a cell's data, not read from a file. */
const madeText = ({ recurrent }: Kernel, path: string): string | undefined => recurrent && cellText(recurrent, path);
const textsOf = (kernel: Kernel): string[] => kernel.sources.map((path) => madeText(kernel, path) ?? shaders[path]);
const sourceOf = (kernel: Kernel): string => withoutComments(textsOf(kernel).join("\n"));

/** Members of a struct as [name, type]. */
function membersOf(source: string, struct: string): [string, string][] {
  const body = new RegExp(`struct ${struct}\\s*\\{([^}]*)\\}`).exec(source)?.[1] ?? "";
  return [...body.matchAll(/(\w+)\s*:\s*([\w<>]+)/g)].map(([, name, type]) => [name, type]);
}

/** f32, u32 or i32 behind vectors, aliases and structs of a single type. */
function scalarOf(source: string, type: string): string {
  const alias = new RegExp(`alias ${type} = ([\\w<>]+);`).exec(source)?.[1];
  if (alias) return scalarOf(source, alias);
  const vector = /^vec[234]<(\w+)>$/.exec(type)?.[1];
  if (vector) return vector;
  const members = new Set(membersOf(source, type).map(([, member]) => scalarOf(source, member)));
  return members.size === 0 ? type : [...members].join(" and ");
}

/** Bindings of group 0 in the order of their numbers, in the contract's words. */
function bindingsOf(source: string): { at: string; name: string; access: string; type: string }[] {
  const found = source.matchAll(
    /@group\(0\)\s*@binding\((\d+)\)\s*var<(?:storage,\s*(\w+)|uniform)>\s*(\w+)\s*:\s*(?:array<(.+?)>|(vec4<u32>));/g,
  );
  return [...found]
    .map(([, at, access = "uniform", name, elements, vector]) => ({ at, name, access, type: scalarOf(source, elements ?? vector) }))
    .sort((a, b) => Number(a.at) - Number(b.at));
}

const folder = fileURLToPath(new URL("../../shaders", import.meta.url));
const files = readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => relative(folder, `${entry.parentPath}/${entry.name}`).split(sep).join("/"));

it("a self-test's result is of the package's version", () => {
  expect(packageVersion).toBe(
    (JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string }).version,
  );
});

describe("the registry", () => {
  it("names every kernel once", () => {
    const names = kernels.map((kernel) => kernel.name);
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
  });

  it("uses every WGSL file, and every WGSL file is bundled", async () => {
    expect(files.filter((file) => !file.endsWith(".wgsl"))).toEqual([]);
    const stems = files.map((file) => file.replace(/\.wgsl$/, "")).sort();
    expect(Object.keys(shaders).sort()).toEqual(stems);
    for (const stem of stems) expect(await shaderText(stem), stem).toBe(shaders[stem]);
    expect(await shaderText("no such file")).toBeUndefined();
    expect([...new Set(kernels.flatMap((kernel) => kernel.sources.filter((path) => madeText(kernel, path) === undefined)))].sort()).toEqual(
      stems,
    );
    for (const file of files) expect(shaders[file.replace(/\.wgsl$/, "")], file).toBe(readFileSync(`${folder}/${file}`, "utf8"));
  });
});

it("all WGSL that a kernel is made of counts in the fingerprint of a self-test, what is made from a cell's data too", async () => {
  const known = new Set(Object.values(await allTexts(common)));
  for (const kernel of kernels)
    for (const text of textsOf(kernel)) expect(known.has(text), `${kernel.name}: ${text.slice(0, 80)}`).toBe(true);
});

describe("the choice of a matrix product", () => {
  const product = (M: number, N: number, K: number, strides: Partial<MatmulParams> = {}): MatmulParams => ({
    M,
    N,
    K,
    batch: 1,
    aOffset: 0,
    aBatch: 0,
    aRow: K,
    aColumn: 1,
    bOffset: 0,
    bBatch: 0,
    bRow: N,
    bColumn: 1,
    cOffset: 0,
    cBatch: 0,
    cRow: N,
    useBias: 0,
    accumulate: 0,
    ...strides,
  });
  const chosen = (...of: Parameters<typeof product>): string => chooseMatmul(product(...of)).name;
  const transposedB = (K: number): Partial<MatmulParams> => ({ bRow: 1, bColumn: K });
  const transposedA = (M: number): Partial<MatmulParams> => ({ aRow: 1, aColumn: M });

  it.each([
    ["input of all steps", chosen(2048, 512, 64, transposedB(64)), "matmul-block:nt-large"],
    ["gradient of the input", chosen(2048, 64, 512), "matmul-block:nn-large"],
    ["gradient of the weights", chosen(512, 128, 2048, transposedA(512)), "matmul-block:tn-large"],
    ["gradient of the weights, T·B odd", chosen(512, 128, 15, transposedA(512)), "matmul-block:tn-large"],
    ["both transposed", chosen(64, 64, 64, { ...transposedA(64), ...transposedB(64) }), "matmul-block:tt-small"],
    ["vocabulary of 65", chosen(2048, 65, 128, transposedB(128)), "matmul-block:nt-large"],
    ["gradient of 65 logits", chosen(2048, 128, 65), "matmul-block:strided-large"],
    ["an offset that is no multiple of 4", chosen(64, 64, 64, { aOffset: 2 }), "matmul-block:strided-small"],
    ["few blocks of C", chosen(32, 128, 2048), "matmul-block:nn-small"],
    ["one row", chosen(1, 512, 128, transposedB(128)), "matmul-block:nt-small"],
    ["one row, long K", chosen(1, 4096, 1024, transposedB(1024)), "matmul-small-m"],
  ])("%s", (_, name, expected) => {
    expect(name).toBe(expected);
  });

  const onGpu = (M: number, N: number, K: number): string => chooseMatmul(product(M, N, K, transposedA(M)), { isGpu: true }).name;

  it.each([
    ["the gradient of the weights", onGpu(512, 128, 2048), "matmul-split:tn-large"],
    ["of fewer", onGpu(128, 128, 2048), "matmul-split:tn-small"],
    ["not where C alone has work for it", onGpu(1024, 512, 2048), "matmul-block:tn-large"],
    ["through workgroup memory where C is large", onGpu(1024, 1024, 2048), "matmul-staged:tn-large"],
    ["not with an odd K", onGpu(1024, 1024, 2040), "matmul-block:tn-large"],
    ["the recurrent product of a step with norms", onGpu(32, 512, 128), "matmul-split:tn-small"],
    ["not for a short K", onGpu(512, 128, 127), "matmul-block:tn-large"],
    ["a row, however long K is", onGpu(1, 128, 512), "matmul-split:strided-small"],
    ["four rows, however many columns", onGpu(4, 8192, 1024), "matmul-split:tn-small"],
    ["five rows have larger blocks", onGpu(5, 1024, 1024), "matmul-split:strided-large"],
  ])("shares K on a GPU without a profile: %s", (_, name, expected) => {
    expect(name).toBe(expected);
  });

  /** Shared sums pay in a C of 256 blocks, not in one of 4096; the curves meet at 1024. */
  const profile = { products: { blocks: [256, 4096], whole: [20, 40], split: [10, 80] } } as unknown as DeviceProfile;
  const onDevice = (M: number, N: number, K: number): string =>
    chooseMatmul(product(M, N, K, transposedA(M)), { measured: new Measured(profile) }).name;

  it.each([
    ["a small C and a long K", onDevice(128, 32, 2048), "matmul-split:tn-small"],
    ["a smaller C than was measured", onDevice(16, 16, 256), "matmul-split:tn-small"],
    ["up to where the measured times meet", onDevice(128, 124, 2048), "matmul-split:tn-small"],
    ["not beyond", onDevice(128, 132, 2048), "matmul-block:tn-small"],
    ["not in a larger C than was measured", onDevice(1024, 512, 2048), "matmul-block:tn-large"],
    ["not for a short K", onDevice(128, 32, 255), "matmul-block:tn-small"],
    ["for strided operands too", onDevice(85, 32, 2048), "matmul-split:strided-small"],
    [
      "with sums of rows",
      chooseMatmulWithSums(product(128, 32, 2048, transposedA(128)), { measured: new Measured(profile) })!.name,
      "matmul-split:tn-small-sums",
    ],
  ])("shares K where a profile says that it pays: %s", (_, name, expected) => {
    expect(name).toBe(expected);
  });
});

describe("WGSL files", () => {
  it.each(files)("%s is short, and its first line says what it is for", (file) => {
    const text = readFileSync(`${folder}/${file}`, "utf8");
    expect(text.trimEnd().split("\n").length).toBeLessThan(150);
    expect(text).toMatch(/^\/\/ /);
  });
});

describe.each(kernels.map((kernel) => [kernel.name, kernel] as const))("%s", (_, kernel) => {
  const source = sourceOf(kernel);

  it("has the contract's bindings, in order", () => {
    const expected = Object.entries(kernel.bindings).map(([name, { access, type }], at) => ({ at: String(at), name, access, type }));
    expect(bindingsOf(source)).toEqual(expected);
    expect(expected.filter(({ access }) => access !== "uniform").length).toBeLessThanOrEqual(8);
  });

  it("has the contract's params, in order", () => {
    expect(membersOf(source, "Params")).toEqual(Object.entries(kernel.params));
    expect(source).toMatch(/@group\(1\)\s*@binding\(0\)\s*var<uniform>\s*params\s*:\s*Params;/);
  });

  it("declares the constants that the contract sets", () => {
    const declared = [...source.matchAll(/override (\w+)\s*:\s*\w+\s*(=?)/g)];
    const names = declared.map(([, name]) => name);
    expect(Object.keys(kernel.constants ?? {}).filter((name) => !names.includes(name))).toEqual([]);
    const needed = declared.filter(([, , initial]) => !initial).map(([, name]) => name);
    expect(needed.filter((name) => !(name in (kernel.constants ?? {})))).toEqual([]);
  });

  it("has one entry point, in the file that bears its name", () => {
    expect(source.match(/@compute/g)).toHaveLength(1);
    expect(source).toMatch(/fn main\(/);
    const own = kernel.sources[kernel.sources.length - 1];
    expect(own.split("/").pop()).toBe(kernel.name.split(":")[0]);
    expect(shaders[own]).toContain("@compute");
  });

  it("stays within 256 invocations and 16 KiB of workgroup memory", () => {
    // Factors are numbers, constants of the text, or overrides whose value the kernel gives; of threads, and of what is
    // counted with them, the most that another size of layer gives.
    const given = kernel.constants ?? {};
    const larger = "threads" in given ? 256 / given.threads : 1;
    const scaled = ["threads", "tileUnits", "tileLength"].filter((name) => name in given).map((name) => [name, given[name] * larger]);
    const known: Record<string, number> = {
      ...Object.fromEntries([...source.matchAll(/^const (\w+) = (\d+)u;/gm)].map(([, name, value]) => [name, Number(value)])),
      ...given,
      ...(Object.fromEntries(scaled) as Record<string, number>),
    };
    const valueOf = (word: string): number => known[word.trim()] ?? parseInt(word, 10);
    const product = (factors: string, separator: string): number =>
      factors.split(separator).reduce(
        (all, factor) =>
          all *
          factor
            .split("/")
            .map(valueOf)
            .reduce((whole, by) => whole / by),
        1,
      );
    expect(product(/@workgroup_size\(([^)]*)\)/.exec(source)![1], ",")).toBeLessThanOrEqual(256);
    // Gates are at most four numbers.
    const bytesOf = (type: string): number => {
      const array = /^array<(.+), ([^,>]+)>$/.exec(type);
      if (array) return bytesOf(array[1]) * product(array[2], "*");
      if (/^[fu]32$/.test(type)) return 4;
      if (type.startsWith("vec4") || type === "PackedGates") return 16;
      return membersOf(source, type).reduce((sum, [, member]) => sum + bytesOf(member), 0);
    };
    const variables = [...source.matchAll(/var<workgroup> \w+: ([^;]+);/g)];
    expect(source.match(/var<workgroup>/g)?.length ?? 0).toBe(variables.length);
    const bytes = variables.reduce((sum, [, type]) => sum + bytesOf(type), 0);
    expect(bytes).toBeLessThanOrEqual(16384);
    expect(bytes > 0).toBe(variables.length > 0);
  });

  it("has no workgroup array whose length is a quotient or a product of overrides, on which Firefox crashes", () => {
    const overrides = new Set([...source.matchAll(/override (\w+)/g)].map(([, name]) => name));
    for (const [, type] of source.matchAll(/var<workgroup> \w+: ([^;]+);/g)) {
      expect(type).not.toContain("/");
      expect((type.match(/\w+/g) ?? []).filter((word) => overrides.has(word)).length).toBeLessThanOrEqual(1);
    }
  });

  it("does not hand pointers to storage to functions, which some compilers refuse", () => {
    expect(source).not.toMatch(/ptr<storage/);
  });
});
