// The table of changed shaders: every file has a change, and every change is one.
import { readdirSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { shaderMutants } from "../device/shader-mutants.ts";

const folder = fileURLToPath(new URL("../../shaders", import.meta.url));
const files = readdirSync(folder, { recursive: true })
  .map((name) => String(name).split(sep).join("/"))
  .filter((name) => name.endsWith(".wgsl"))
  .map((name) => name.replace(/\.wgsl$/, ""))
  .sort();

it("each WGSL file is changed in at least one place", () => {
  expect([...new Set(shaderMutants.map(({ file }) => file))].sort()).toEqual(files);
});

it.each(shaderMutants.map((one) => [`${one.file}: ${one.from}`, one] as const))(
  "what is changed is there, and becomes something else: %s",
  (_, { file, from, to, subject, equivalent }) => {
    const text = readFileSync(join(folder, `${file}.wgsl`), "utf8");
    expect(text.includes(from)).toBe(true);
    expect(text.replace(from, () => to)).not.toBe(text);
    expect((subject === undefined) !== (equivalent === undefined)).toBe(true);
  },
);
