// The local server: right types, isolated pages, and nothing outside its folder.
import { execFile, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { unlessBuilt } from "../../scripts/built.mjs";
import { root } from "../../scripts/bundle.mjs";
import { pagePolicy, serve } from "../../scripts/serve.mjs";

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: Buffer;
  readonly text: string;
}

/** Sends the path as it is: fetch() would tidy `..` away before the server could see it. */
function get(
  port: number,
  path: string,
  { method = "GET", headers = {} }: { method?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request({ host: "localhost", port, path, method, headers }, (response) => {
      const pieces: Buffer[] = [];
      response.on("data", (piece: Buffer) => pieces.push(piece));
      response.on("end", () => {
        const body = Buffer.concat(pieces);
        resolve({
          status: response.statusCode ?? 0,
          type: response.headers["content-type"] ?? "",
          headers: response.headers,
          body,
          text: body.toString(),
        });
      });
    });
    call.on("error", reject);
    call.end();
  });
}

const long = "export const words = 'the sea was calm'; ".repeat(200);

describe("serve", () => {
  let folder = "";
  let server: Awaited<ReturnType<typeof serve>>;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "serve-"));
    const files = {
      "site/index.html": "<p>home",
      "site/main.js": "export {};",
      "site/long.js": long,
      "site/sub/index.html": "<p>sub",
      "site/module.wasm": "\0asm",
      "site/.env": "secret",
      "site/.git/config": "secret",
      "site/sub/.hidden/a.txt": "secret",
      "site/a b.txt": "spaces",
      "secret.txt": "secret",
      "site-2/secret.txt": "secret",
    };
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(folder, path, ".."), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    symlinkSync(join(folder, "secret.txt"), join(folder, "site/link.txt"));
    symlinkSync(join(folder, "site-2"), join(folder, "site/linked"));
    server = await serve(join(folder, "site"));
  });
  afterAll(async () => {
    await server.close();
    rmSync(folder, { recursive: true });
  });

  it("sends files with their types, cross-origin isolated, with a policy that lets nothing in from elsewhere", async () => {
    const home = await get(server.port, "/");
    expect(home).toMatchObject({ status: 200, type: "text/html; charset=utf-8", text: "<p>home" });
    expect(home.headers).toMatchObject({
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-embedder-policy": "require-corp",
      "x-content-type-options": "nosniff",
      "content-security-policy": pagePolicy,
    });
    expect(await get(server.port, "/main.js?x=1")).toMatchObject({ status: 200, type: "text/javascript; charset=utf-8" });
    expect(await get(server.port, "/module.wasm")).toMatchObject({ status: 200, type: "application/wasm" });
    expect(await get(server.port, "/a%20b.txt")).toMatchObject({ status: 200, text: "spaces" });
  });

  it.each([
    ["gzip", gunzipSync],
    ["br", brotliDecompressSync],
    ["gzip, deflate, br", brotliDecompressSync],
  ] as const)("compresses for who takes %s", async (accepted, decompress) => {
    const { headers, body } = await get(server.port, "/long.js", { headers: { "Accept-Encoding": accepted } });
    expect(headers).toMatchObject({ "content-encoding": decompress === gunzipSync ? "gzip" : "br", vary: "Accept-Encoding" });
    expect(body.length).toBeLessThan(long.length / 4);
    expect(decompress(body).toString()).toBe(long);
  });

  it("sends a file as it is to who takes nothing else, and all of it to who asks for a part", async () => {
    const { headers, text } = await get(server.port, "/long.js", { headers: { Range: "bytes=0-9" } });
    expect(headers["content-encoding"]).toBeUndefined();
    expect(text).toBe(long);
  });

  it("answers HEAD without a body, and a repeated question with 304, until the file has changed", async () => {
    const file = join(folder, "site/changing.txt");
    writeFileSync(file, "first");
    const head = await get(server.port, "/changing.txt", { method: "HEAD" });
    expect(head).toMatchObject({ status: 200, text: "", headers: { "content-length": "5", "cache-control": "no-cache" } });
    const condition = { "If-None-Match": String(head.headers.etag) };
    expect(await get(server.port, "/changing.txt", { headers: condition })).toMatchObject({ status: 304, text: "" });
    writeFileSync(file, "second, longer");
    expect(await get(server.port, "/changing.txt", { headers: condition })).toMatchObject({ status: 200, text: "second, longer" });
  });

  it.each([
    "evil.example",
    "evil.example:8080",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "localhost@evil.example",
    "localhost:8080:1",
    "0.0.0.0",
  ])("refuses the host %j, under which a page elsewhere could read what is served", async (host) => {
    const answer = await get(server.port, "/", { headers: { Host: host } });
    expect([400, 403]).toContain(answer.status);
    expect(answer.text).not.toContain("home");
  });

  it.each(["localhost", "LOCALHOST:1234", "127.0.0.1", "127.0.0.1:8080", "[::1]:8080"])("knows itself as %s", async (host) => {
    expect((await get(server.port, "/", { headers: { Host: host } })).status).toBe(200);
  });

  it("redirects a folder to its slash, so that relative links work", async () => {
    const answer = await get(server.port, "/sub");
    expect(answer).toMatchObject({ status: 301, headers: { location: "/sub/" } });
    expect((await get(server.port, "/sub/")).text).toBe("<p>sub");
  });

  it.each([
    "/../secret.txt",
    "/%2e%2e/secret.txt",
    "/..%2fsecret.txt",
    "/%2e%2e%2fsecret.txt",
    "/sub/../../secret.txt",
    "/..%5csecret.txt",
    "/%252e%252e/secret.txt",
    "/../site-2/secret.txt",
    "/.%2e/site-2/secret.txt",
    "/link.txt",
    "/linked/secret.txt",
    "/linked",
    "/linked/",
    "/.env",
    "/%2eenv",
    "/.git/config",
    "/.git/",
    "/sub/.hidden/a.txt",
    "/sub/%2ehidden/a.txt",
    "/%00",
    "/index.html%00.js",
    "/%",
    "/%ff",
    "/missing.js",
    "/main.js/",
    "/main.js/x",
    "//x:y",
    "//link.txt",
    "//localhost/link.txt",
    "http://localhost/link.txt",
    "/\\link.txt",
    "/a%0d%0ab",
  ])("answers 404 to %s", async (path) => {
    const answer = await get(server.port, path);
    expect(answer.status).toBe(404);
    expect(answer.text).not.toContain("secret");
  });

  it("gives away no file outside its folder, however a path is put together", async () => {
    const part = fc.constantFrom(
      "..",
      "%2e%2e",
      ".",
      "%2e",
      "/",
      "%2f",
      "\\",
      "%5c",
      "sub",
      "linked",
      "link.txt",
      "secret.txt",
      "site-2",
      ".env",
      "%2eenv",
      ".git",
      "config",
      "%00",
      "%25",
      ";",
      "?",
      "#",
    );
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 7 }), async (parts) => {
        const answer = await get(server.port, `/${parts.join("")}`);
        expect(answer.text).not.toContain("secret\n");
        expect(answer.text).not.toBe("secret");
        expect(answer.status).toBeLessThan(500);
      }),
      { numRuns: 1000, seed: 1 },
    );
  });

  it.each(["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])("refuses %s", async (method) => {
    expect(await get(server.port, "/index.html", { method })).toMatchObject({ status: 405, headers: { allow: "GET, HEAD" } });
  });

  it("takes the next free port when asked to search, and says which is in use when not", async () => {
    const second = await serve(join(folder, "site"), { port: server.port, search: true });
    expect(second.port).toBeGreaterThan(server.port);
    await second.close();
    await expect(serve(join(folder, "site"), { port: server.port })).rejects.toThrow(`port ${server.port} is in use`);
  });
});

describe("what was built", () => {
  it("is built again when a source or what was made has changed, and only then", async () => {
    const folder = mkdtempSync(join(tmpdir(), "built-"));
    try {
      let builds = 0;
      const write = (path: string, text: string): void => {
        mkdirSync(join(folder, path, ".."), { recursive: true });
        writeFileSync(join(folder, path), text);
      };
      const build = async (): Promise<boolean> => {
        const { fresh, result } = await unlessBuilt("test", { from: ["src", "options.json"], into: ["out"], folder }, async () => {
          builds++;
          write("out/all.js", "made");
          return { builds };
        });
        expect(result).toEqual({ builds });
        return fresh;
      };
      write("src/a.ts", "a");
      write("options.json", "{}");
      expect([await build(), await build()]).toEqual([true, false]);
      const changes: [what: string, change: () => void][] = [
        ["a source", () => write("src/a.ts", "A")],
        ["a new source", () => write("src/deep/b.ts", "b")],
        ["a source that has gone", () => rmSync(join(folder, "src/deep"), { recursive: true })],
        ["another name", () => renameSync(join(folder, "src/a.ts"), join(folder, "src/c.ts"))],
        ["an option", () => write("options.json", "[]")],
        ["what was made", () => write("out/all.js", "spoilt")],
        ["what was made has gone", () => rmSync(join(folder, "out"), { recursive: true })],
        ["other packages", () => write("node_modules/.package-lock.json", "{}")],
        ["a record that is none", () => write("build/built/test.json", "{")],
      ];
      for (const [what, change] of changes) {
        change();
        expect([await build(), await build()], what).toEqual([true, false]);
      }
      for (const path of ["src/node_modules/x.ts", "src/.cache"]) {
        write(path, "x");
        expect(await build(), path).toBe(false);
      }
      // One that was interrupted counts for nothing.
      write("src/c.ts", "d");
      await expect(
        unlessBuilt("test", { from: ["src", "options.json"], into: ["out"], folder }, () => Promise.reject(new Error("stopped"))),
      ).rejects.toThrow("stopped");
      expect(await build()).toBe(true);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("two that build the same at once", () => {
  const folder = mkdtempSync(join(tmpdir(), "built-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "a.ts"), "a");
  /** Says when it begins and ends to build. */
  const program = `
    import { appendFileSync, writeFileSync } from "node:fs";
    import { unlessBuilt } from ${JSON.stringify(pathToFileURL(join(root, "scripts/built.mjs")).href)};
    const folder = ${JSON.stringify(folder)};
    const say = (word) => appendFileSync(folder + "/said", word + " ");
    await unlessBuilt("test", { from: ["a.ts"], into: ["out.js"], folder }, async () => {
      say("begins");
      await new Promise((done) => setTimeout(done, 300));
      writeFileSync(folder + "/out.js", "made");
      say("ends");
      return {};
    });
    say("has");`;
  const run = () =>
    new Promise<void>((resolve, reject) => {
      execFile(process.execPath, ["--input-type=module", "-e", program], (error) => (error ? reject(new Error(error.message)) : resolve()));
    });

  it("wait for each other, and one of them builds", async () => {
    await Promise.all([run(), run(), run()]);
    expect(readFileSync(join(folder, "said"), "utf8")).toBe("begins ends has has has ");
  });

  it.each(["before", "after"] as const)("do not wait for one that was killed %s it wrote its number", async (when) => {
    const killed = spawnSync(process.execPath, ["-e", ""]);
    writeFileSync(join(folder, "build/built/test.lock"), when === "before" ? "" : String(killed.pid));
    await run();
    expect(existsSync(join(folder, "build/built/test.lock"))).toBe(false);
  });
});

describe("npm start", () => {
  const start = (...args: string[]): Promise<{ code: number; said: string }> =>
    new Promise((resolve) => {
      execFile(process.execPath, ["scripts/start.mjs", ...args], { cwd: root }, (error, stdout, stderr) =>
        resolve({ code: typeof error?.code === "number" ? error.code : 0, said: stdout + stderr }),
      );
    });

  it.each([
    [["--prot", "9000"], "npm start: unknown option --prot; did you mean --port?\n"],
    [["--verbose"], "npm start: unknown option --verbose\n"],
    [["--port"], "npm start: --port needs a value\n"],
    [["--port", "70000"], 'npm start: --port must be a whole number from 0 to 65535, got "70000"\n'],
    [["--port=8e3"], 'npm start: --port must be a whole number from 0 to 65535, got "8e3"\n'],
    [["8080"], 'npm start: unexpected "8080"\n'],
    [["--help=1"], 'npm start: --help takes no value, got "1"\n'],
  ])("says what it does not know before it builds: %j", async (args, said) => {
    expect(await start(...args)).toEqual({ code: 2, said });
  });

  it("says how it is used", async () => {
    expect(await start("--help")).toMatchObject({ code: 0, said: expect.stringContaining("--port N") as string });
  });
});
