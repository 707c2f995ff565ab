// The documents point at what exists and show what the code really prints.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { bundleProgram, root } from "../../scripts/bundle.mjs";

const documents = ["", "docs"].flatMap((folder) =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith(".md"))
    .map((name) => join(folder, name)),
);
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

describe.each(documents)("%s", (document) => {
  it("links to files and headings that exist", () => {
    const broken = linksIn(document).filter(
      ({ file, anchor }) => !existsSync(join(root, file)) || (anchor !== "" && !anchorsIn(file).includes(anchor)),
    );
    expect(broken).toEqual([]);
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
