// A small static file server on localhost for the pages and the browser tests: node scripts/serve.mjs DIR [--port N].
// Pages are cross-origin isolated (COOP, COEP), which gives them precise timers and SharedArrayBuffer.
import { createReadStream } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, resolve, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

const mimeTypes = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".map": "application/json",
  ".mjs": "text/javascript; charset=utf-8",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
  ".wgsl": "text/plain; charset=utf-8",
};

const headers = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
  "X-Content-Type-Options": "nosniff",
  "Cache-Control": "no-store",
};

/** The real path of the file that a URL names, or null where there is none inside `directory`. */
async function locate(directory, url) {
  try {
    const path = decodeURIComponent(new URL(url, "http://localhost").pathname);
    const named = join(directory, path.endsWith("/") ? path + "index.html" : path);
    // Links are followed before the comparison, so that nothing outside the folder is ever sent.
    const file = await realpath(named);
    return file.startsWith(directory + sep) ? file : null;
  } catch {
    return null;
  }
}

async function answer(directory, request, response) {
  const send = (status, text, extra = {}) => {
    response.writeHead(status, { ...headers, "Content-Type": "text/plain; charset=utf-8", ...extra });
    response.end(request.method === "HEAD" ? undefined : text);
  };
  if (request.method !== "GET" && request.method !== "HEAD") return send(405, "only GET and HEAD\n", { Allow: "GET, HEAD" });
  const file = await locate(directory, request.url);
  if (file === null) return send(404, "not found\n");
  const { size, isDirectory } = await stat(file).then((s) => ({ size: s.size, isDirectory: s.isDirectory() }));
  if (isDirectory) {
    const { pathname } = new URL(request.url, "http://localhost");
    return send(301, "", { Location: `${pathname.replace(/^\/+/, "/")}/` });
  }
  response.writeHead(200, { ...headers, "Content-Type": mimeTypes[extname(file)] ?? "application/octet-stream", "Content-Length": size });
  if (request.method === "HEAD") return response.end();
  createReadStream(file).on("error", () => response.destroy()).pipe(response);
}

/**
 * Serves `directory` on localhost. `port` 0 takes any free one; with `search`, the next free one from `port` on.
 * Resolves to `{ port, url, close }`.
 */
export async function serve(directory, { port = 0, search = false } = {}) {
  const real = await realpath(resolve(directory));
  const server = createServer((request, response) => {
    answer(real, request, response).catch((error) => {
      console.error(error);
      response.destroy();
    });
  });
  const listen = (at) =>
    new Promise((done, fail) => {
      server.once("error", fail);
      // "localhost" is a secure context, which WebGPU requires; no other machine can reach it.
      server.listen(at, "localhost", () => {
        server.off("error", fail);
        done();
      });
    });
  for (let at = port; ; at++) {
    try {
      await listen(at);
      break;
    } catch (error) {
      if (error.code !== "EADDRINUSE" || !search || at >= port + 100) throw error;
    }
  }
  const { port: bound } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const close = () =>
    new Promise((done) => {
      server.close(done);
      server.closeAllConnections();
    });
  return { port: bound, url: `http://localhost:${bound}/`, close };
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values, positionals } = parseArgs({ options: { port: { type: "string", default: "8080" } }, allowPositionals: true });
  const { url } = await serve(positionals[0] ?? ".", { port: Number(values.port), search: true });
  console.log(url);
}
