// The documents point at what exists and show what the code really prints.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { bundleProgram, root } from "../../scripts/bundle.mjs";
import { strategies } from "../../src/recurrent/strategies/all-strategies.ts";

/** Every Markdown file of the project, by its path from the root. */
function documentsIn(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return /^\.|^(node_modules|build|dist)$/.test(entry.name) ? [] : documentsIn(path);
    return entry.name.endsWith(".md") ? [path] : [];
  });
}
const documents = documentsIn("");
const read = (file: string): string => readFileSync(join(root, file), "utf8");
const withoutCode = (markdown: string): string => markdown.replace(/^```.*?^```$/gms, "");

/** How GitHub names a heading. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replace(/\s/g, "-");
const anchorsIn = (file: string): string[] => [...withoutCode(read(file)).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchorOf(heading));

/** Relative links as paths from the root. */
function linksIn(document: string): { file: string; anchor: string }[] {
  return [...withoutCode(read(document)).matchAll(/\]\(([^)\s]+)\)/g)]
    .filter(([, target]) => !/^[a-z]+:/.test(target))
    .map(([, target]) => {
      const [path, anchor = ""] = target.split("#");
      return { file: path === "" ? document : join(dirname(document), path), anchor };
    });
}

/** Paths that the text names as code, such as `src/nn/module.ts`; patterns and placeholders are no paths. */
const pathsIn = (document: string): string[] =>
  [...withoutCode(read(document)).matchAll(/`((?:src|shaders|test|scripts|docs|bench|demo|examples)\/[\w./-]*)`/g)]
    .map(([, path]) => path)
    .filter((path) => !path.includes("node_modules"));

/** Links whose text is a name in code, such as [`Session.prepare`](…), as [last part of the name, file]. */
const namesIn = (document: string): [string, string][] =>
  [...withoutCode(read(document)).matchAll(/\[`(?:\w+\.)?(\w+)`\]\(([^)\s#]+\.(?:ts|mjs|wgsl))\)/g)].map(([, name, path]) => [
    name,
    join(dirname(document), path),
  ]);

describe.each(documents)("%s", (document) => {
  it("links to files and headings that exist", () => {
    const broken = linksIn(document).filter(
      ({ file, anchor }) => !existsSync(join(root, file)) || (anchor !== "" && !anchorsIn(file).includes(anchor)),
    );
    expect(broken).toEqual([]);
  });

  it("names files and folders that exist", () => {
    expect(pathsIn(document).filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  it("names what the linked file contains", () => {
    expect(namesIn(document).filter(([name, file]) => !new RegExp(`\\b${name}\\b`).test(read(file)))).toEqual([]);
  });
});

describe("docs/design/README.md", () => {
  it("lists every page by its title", () => {
    const index = read("docs/design/README.md");
    const pages = documents.filter((file) => /^docs.design.(?!README)/.test(file));
    const missing = pages.filter((file) => !index.includes(`[${/^# (.*)$/m.exec(read(file))?.[1]}](${basename(file)})`));
    expect(missing).toEqual([]);
    expect(pages.length).toBeGreaterThan(0);
  });
});

describe("ARCHITECTURE.md", () => {
  it("shows what `node scripts/run-ts.mjs scripts/print.ts` prints (else: the same with --write, and a look at the numbers that the text names)", async () => {
    const program = join(root, "build", "tests", "print.mjs");
    await bundleProgram("scripts/print.ts", program);
    const printed = execFileSync(process.execPath, [program], { encoding: "utf8" });
    expect(/^```text\n( +0 copy.*?)^```$/ms.exec(read("ARCHITECTURE.md"))?.[1]).toBe(printed);
  });
});

describe("docs/design/loop-and-step.md", () => {
  it("has the table of what each strategy refuses", () => {
    const rows = Object.values(strategies).flatMap(({ name, refusals }) => refusals.map(({ layers }) => `| \`${name}\` | ${layers} |`));
    expect(/^\|---\|---\|\n(?=\| `)(.*)/ms.exec(read("docs/design/loop-and-step.md"))?.[1].trimEnd().split("\n")).toEqual(rows);
  });
});

describe("CONTRIBUTING.md", () => {
  it("lists the names that every cell with one phase defines in WGSL", () => {
    const cells = readdirSync(join(root, "shaders/cells")).map((name) => read(`shaders/cells/${name}`));
    const defined = cells
      .filter((text) => text.includes("fn cellForward"))
      .map((text) => [...text.matchAll(/^(?:fn|struct|alias|const|override) (\w+)/gm)].map(([, name]) => name));
    const common = defined.reduce((names, others) => names.filter((name) => others.includes(name)));
    const listed = /defines these names: (.*?)\./.exec(read("CONTRIBUTING.md"))![1];
    expect([...listed.matchAll(/`(\w+)`/g)].map(([, name]) => name)).toEqual(common.sort());
  });
});
