// Where a browser is looked for: what an environment variable names, what is installed, puppeteer's cache. Nothing is downloaded here.
import { execFile } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { itThoroughly } from "../thorough.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

describe.skipIf(process.platform !== "linux")("a browser for the tests and the bench", () => {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "browsers-"));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** A program file that is none of a browser. */
  function program(...path: string[]): string {
    const file = join(folder, ...path);
    mkdirSync(join(file, ".."), { recursive: true });
    writeFileSync(file, "#!/bin/sh\necho no browser >&2\nexit 1\n");
    chmodSync(file, 0o755);
    return file;
  }

  /**
   * Evaluates an expression over the module's exports in a separate process, because puppeteer reads its environment
   * only once.
   */
  async function ask(expression: string, environment: Record<string, string>): Promise<string> {
    const code = `const browsers = await import("./scripts/browsers.mjs"); console.log(await browsers.${expression}.catch((error) => error.constructor.name + ": " + error.message));`;
    const { CHROME_PATH: _, CHROME_BIN: __, PUPPETEER_EXECUTABLE_PATH: ___, ...rest } = process.env;
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", code], {
      cwd: root,
      env: { ...rest, ...environment },
    });
    return stdout.trim();
  }

  itThoroughly("is found in puppeteer's cache, whatever its version; a whole Chrome before a headless one", async () => {
    const shell = program("cache/chrome-headless-shell/linux-1.2.3/chrome-headless-shell-linux64/chrome-headless-shell");
    const firefox = program("cache/firefox/linux-stable_140.0/firefox/firefox");
    const environment = { PUPPETEER_CACHE_DIR: join(folder, "cache") };
    expect(await ask('cachedBrowser("chromium")', environment)).toBe(shell);
    expect(await ask('cachedBrowser("firefox")', environment)).toBe(firefox);
    const chrome = program("cache/chrome/linux-1.2.3/chrome-linux64/chrome");
    expect(await ask('cachedBrowser("chromium")', environment)).toBe(chrome);
    expect(await ask('cachedBrowser("chromium")', { PUPPETEER_CACHE_DIR: join(folder, "empty") })).toBe("null");
  });

  itThoroughly("is the one that CHROME_PATH names, and no other if that one does not start", async () => {
    const file = program("named");
    expect(await ask('presentBrowser("chromium")', { CHROME_PATH: file })).toBe(file);
    expect(await ask('launchBrowser("chromium")', { CHROME_PATH: file })).toMatch(/^Error: Failed to launch the browser process/);
    expect(await ask('launchBrowser("chromium")', { CHROME_PATH: join(folder, "missing") })).toBe(
      `Error: CHROME_PATH names ${join(folder, "missing")}, which does not exist`,
    );
  });

  it("is one on the path, Edge included", async () => {
    const file = program("path", "microsoft-edge-stable");
    // The system's folders come last, so that only the order decides.
    expect(await ask('presentBrowser("chromium")', { PATH: join(folder, "path") })).toBe(file);
  });
});
