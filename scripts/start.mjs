// `npm start`: builds the package and the pages, unless they were built from the same sources, and serves the pages on
// localhost until Ctrl-C.
//   npm start -- [--port N]      8080, or the next free one
import { join } from "node:path";
import { readCommandLine, readPort } from "./command-line.mjs";
import { root } from "./bundle.mjs";
import { builtPackage, packageSources, unlessBuilt } from "./built.mjs";

const usage = `npm start -- [--port N]

Builds the package and the pages and serves them on localhost, on port N (8080) or the next free one, until Ctrl-C.
What was built from the same sources before is not built again.
`;

async function buildSite() {
  console.log("building the pages …");
  const { buildPages } = await import("./pages.mjs");
  return (await buildPages()).pages.map(({ path, title }) => ({ path, title }));
}

async function main() {
  const { values, help } = readCommandLine(process.argv.slice(2), { port: { type: "string" } });
  if (help) return console.log(usage);
  const port = readPort(values.port ?? "8080");
  const started = performance.now();
  const [sizes, pages] = await Promise.all([
    builtPackage(() => console.log("building the package …")),
    unlessBuilt("pages", { from: [...packageSources, "bench", "demo", "examples"], into: ["build/site"] }, buildSite),
  ]);
  const { serve } = await import("./serve.mjs");
  const server = await serve(join(root, "build", "site"), { port, search: true });
  console.log(`${sizes.fresh ? sizes.result : "dist/ is up to date"} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
  if (server.port !== port && port !== 0) console.log(`port ${port} is in use, this is ${server.port}`);
  console.log();
  for (const { title, path } of pages.result) console.log(`  ${title.padEnd(24)} ${server.url}${path}`);
  console.log("\nCtrl-C ends.");
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.once(signal, () => void server.close().then(() => process.exit(0)));
  }
}

main().catch((error) => {
  console.error(`npm start: ${error.message}`);
  process.exitCode = 2;
});
