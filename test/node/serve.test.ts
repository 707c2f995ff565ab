// The local server: right types, isolated pages, and nothing outside its folder.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { serve } from "../../scripts/serve.mjs";

/** Sends the path as it is: fetch() would tidy `..` away before the server could see it. */
function get(port: number, path: string, method = "GET") {
  return new Promise<{ status: number; type: string; headers: NodeJS.Dict<string | string[]>; body: string }>((resolve, reject) => {
    const call = request({ host: "localhost", port, path, method }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (body += chunk));
      response.on("end", () => {
        resolve({ status: response.statusCode ?? 0, type: response.headers["content-type"] ?? "", headers: response.headers, body });
      });
    });
    call.on("error", reject);
    call.end();
  });
}

describe("serve", () => {
  let folder = "";
  let server: Awaited<ReturnType<typeof serve>>;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "serve-"));
    mkdirSync(join(folder, "site/sub"), { recursive: true });
    writeFileSync(join(folder, "site/index.html"), "<p>home");
    writeFileSync(join(folder, "site/main.js"), "export {};");
    writeFileSync(join(folder, "site/sub/index.html"), "<p>sub");
    writeFileSync(join(folder, "secret.txt"), "secret");
    symlinkSync(join(folder, "secret.txt"), join(folder, "site/link.txt"));
    server = await serve(join(folder, "site"));
  });
  afterAll(async () => {
    await server.close();
    rmSync(folder, { recursive: true });
  });

  it("sends index.html and module scripts with their types, cross-origin isolated", async () => {
    const home = await get(server.port, "/");
    expect(home).toMatchObject({ status: 200, type: "text/html; charset=utf-8", body: "<p>home" });
    expect(home.headers).toMatchObject({ "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" });
    expect(await get(server.port, "/main.js?x=1")).toMatchObject({ status: 200, type: "text/javascript; charset=utf-8" });
  });

  it("redirects a folder to its slash, so that relative links work", async () => {
    const answer = await get(server.port, "/sub");
    expect(answer).toMatchObject({ status: 301, headers: { location: "/sub/" } });
    expect((await get(server.port, "/sub/")).body).toBe("<p>sub");
  });

  it.each(["/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/link.txt", "/%00", "/%", "/missing.js", "//x:y"])(
    "answers 404 to %s",
    async (path) => {
      expect((await get(server.port, path)).status).toBe(404);
    },
  );

  it("refuses to be written to", async () => {
    expect((await get(server.port, "/index.html", "POST")).status).toBe(405);
  });

  it("takes the next free port when asked to search", async () => {
    const second = await serve(join(folder, "site"), { port: server.port, search: true });
    expect(second.port).toBeGreaterThan(server.port);
    await second.close();
  });
});
