// Stack traces from a page name lines of bundles. This turns them back into lines of the source, with the source
// maps that esbuild wrote, and leaves out the frames of packages.
import { readFileSync } from "node:fs";
import { SourceMap } from "node:module";
import { join, relative, resolve } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { root } from "../../scripts/bundle.mjs";

/** A function from an error's text to a readable one, for the bundles in `folder` served at `url`. */
export function stackMapper(folder, url) {
  const maps = new Map();
  const mapOf = (file) => {
    if (!maps.has(file)) maps.set(file, new SourceMap(JSON.parse(readFileSync(join(folder, `${file}.map`), "utf8"))));
    return maps.get(file);
  };
  const place = new RegExp(`${url.replaceAll(".", "\\.")}([^\\s()?:]+\\.js):(\\d+):(\\d+)`);
  const readLine = (line) => {
    const match = place.exec(line);
    if (match === null) return line;
    try {
      const { originalSource, originalLine, originalColumn } = mapOf(match[1]).findEntry(match[2] - 1, match[3] - 1);
      const source = relative(root, resolve(folder, originalSource));
      if (source.includes("node_modules")) return null;
      return line.replace(match[0], `${source}:${originalLine + 1}:${originalColumn + 1}`);
    } catch {
      return line; // no map, or no entry: the bundle's own line is better than none
    }
  };
  return (text) => {
    const plain = process.stdout.isTTY ? text : stripVTControlCharacters(text);
    const lines = plain.split("\n").filter((line) => !/at (new Promise|Reflect\.get) \(<anonymous>\)/.test(line));
    return lines
      .map(readLine)
      .filter((line) => line !== null)
      .join("\n");
  };
}
