// The README's first example is run as it stands, only shorter and on the CPU.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { bundleProgram, root } from "../../scripts/bundle.mjs";

const readme = join(root, "README.md");
const text = "Call me Ishmael. Some years ago, never mind how long precisely, having little or no money in my purse. ".repeat(25);

/** Replaces what must be there. */
function replaced(code: string, from: string | RegExp, to: string): string {
  expect(code).toMatch(from);
  return code.replace(from, to);
}

describe.skipIf(!existsSync(readme))("the README's first example", () => {
  const snippet = /^```ts\n(.*?)^```$/ms.exec(existsSync(readme) ? readFileSync(readme, "utf8") : "")?.[1] ?? "";

  it("has at most fifteen lines", () => {
    expect(snippet).not.toBe("");
    expect(snippet.trim().split("\n").length).toBeLessThanOrEqual(15);
  });

  it("trains a model and writes text", async () => {
    const short = replaced(replaced(snippet, /createBackend\([^)]*\)/, 'createBackend("cpu")'), /steps: \d{3,}/, "steps: 2");
    const folder = join(root, "build", "tests");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "readme.ts"), `const text = ${JSON.stringify(text)};\n${short}`);
    await bundleProgram(join(folder, "readme.ts"), join(folder, "readme.mjs"));
    const lines = execFileSync(process.execPath, [join(folder, "readme.mjs")], { encoding: "utf8" }).split("\n");
    for (const step of [1, 2]) expect(lines[step - 1]).toMatch(new RegExp(`^${step} \\d\\.\\d+$`));
    const sample = lines.slice(2).join("\n").trimEnd();
    expect(Array.from(sample).every((c) => text.includes(c))).toBe(true);
    expect(sample.length).toBeGreaterThan(150);
  }, 120_000);
});
