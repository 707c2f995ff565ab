// A static file server on localhost for the pages and the browser tests: node scripts/serve.mjs DIR [--port N].
// What a file server does is done by serve-static and compression (types, ETags, 304, HEAD, gzip and brotli); here is
// what keeps it to this machine and to its folder. Pages are cross-origin isolated (COOP, COEP), which gives them precise
// timers and SharedArrayBuffer.
import { realpath, stat } from "node:fs/promises";
import { createServer } from "node:http";
import { join, resolve, sep } from "node:path";
import { pathToFileURL } from "node:url";
import compression from "compression";
import serveStatic from "serve-static";
import { readCommandLine, readPort } from "./command-line.mjs";

/** Everything from here, nothing inline. WebAssembly is compiled, threads are workers from blobs, and so are files to download. */
export const pagePolicy = [
  "default-src 'self'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "worker-src 'self' blob:",
  "connect-src 'self' blob:",
  "img-src 'self' data:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const headers = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
  // Cached, but revalidated each time, so that a rebuilt page shows at once.
  "Cache-Control": "no-cache",
};

/** Names of this machine, with any port: one may be forwarded. Another name in the Host header is a page elsewhere whose name was pointed here (DNS rebinding). */
const ownName = /^(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/i;

/** True if a URL names a file inside `directory`, links followed, and no part of its path begins with a dot. */
async function isInside(directory, url) {
  try {
    // Plain paths only: this code and serve-static read anything else (//host, a backslash, #) differently.
    const [, plain] = /^(\/(?!\/)[^?#\\]*)(\?|$)/.exec(url) ?? [];
    if (plain === undefined) return false;
    const path = decodeURIComponent(plain);
    if (path.split(/[/\\]/).some((part) => part.startsWith("."))) return false;
    const file = await realpath(join(directory, path));
    return file === directory || file.startsWith(directory + sep);
  } catch {
    return false;
  }
}

/** Answers requests for the files of `directory`. */
function handler(directory, policy) {
  const compress = compression();
  const files = serveStatic(directory, { acceptRanges: false, cacheControl: false });
  const send = (request, response, status, text, extra = {}) => {
    response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8", ...extra });
    response.end(request.method === "HEAD" ? undefined : `${text}\n`);
  };
  return async (request, response) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    if (policy !== null) response.setHeader("Content-Security-Policy", policy);
    if (!ownName.test(request.headers.host ?? ""))
      return send(request, response, 403, "This server is for this machine only: open it as localhost.");
    if (request.method !== "GET" && request.method !== "HEAD")
      return send(request, response, 405, "Only GET and HEAD.", { Allow: "GET, HEAD" });
    if (!(await isInside(directory, request.url))) return send(request, response, 404, "Not found.");
    compress(request, response, () =>
      files(request, response, (error) => {
        if (error) console.error(error);
        send(request, response, error ? 500 : 404, error ? "The file could not be read." : "Not found.");
      }),
    );
  };
}

/**
 * Serves `directory` on localhost. `port` 0 takes any free one; with `search`, the next free one from `port` on.
 * `policy` is the content security policy, null for none. Resolves to `{ port, url, close }`.
 * @param {string} directory
 * @param {{ port?: number, search?: boolean, policy?: string | null }} [options]
 */
export async function serve(directory, { port = 0, search = false, policy = pagePolicy } = {}) {
  const answer = handler(await realpath(resolve(directory)), policy);
  const server = createServer((request, response) => {
    answer(request, response).catch((error) => {
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
      if (error.code === "EACCES")
        throw new Error(`port ${at} may not be used without further rights; choose one from 1024 on`, { cause: error });
      if (error.code !== "EADDRINUSE") throw error;
      if (!search || at >= Math.min(port + 100, 65535)) throw new Error(`port ${at} is in use`, { cause: error });
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

async function main() {
  const {
    values,
    words: [directory = "."],
    help,
  } = readCommandLine(process.argv.slice(2), { port: { type: "string" } }, { words: 1 });
  if (help)
    return console.log("node scripts/serve.mjs [DIR] [--port N]   serves DIR (.) on localhost, on port N (8080) or the next free one");
  if (!(await stat(directory).catch(() => null))?.isDirectory()) throw new Error(`${directory} is no folder`);
  const { url } = await serve(directory, { port: readPort(values.port ?? "8080"), search: true });
  console.log(url);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  main().catch((error) => {
    console.error(`serve: ${error.message}`);
    process.exitCode = 2;
  });
}
