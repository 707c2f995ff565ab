// `npm start`: builds the package and the pages, then serves them on localhost until Ctrl-C.
//   npm start -- [--port N]      8080, or the next free one
import { parseArgs } from "node:util";
import { build } from "./build.mjs";
import { buildPages } from "./pages.mjs";
import { serve } from "./serve.mjs";
import { describeSizes } from "./sizes.mjs";

const { values } = parseArgs({ options: { port: { type: "string", default: "8080" } } });
const port = Number(values.port);
if (!Number.isInteger(port) || port < 0 || port > 65535) {
  console.error(`--port: "${values.port}" is no port number`);
  process.exit(2);
}

const [sizes, { folder, pages }] = await Promise.all([build(), buildPages()]);
console.log(describeSizes(sizes));
if (pages.length === 0) throw new Error("neither demo/index.html nor bench/index.html exists: there is nothing to serve");
const { url } = await serve(folder, { port, search: true });
console.log();
for (const { name, path } of pages) console.log(`${name.padEnd(14)} ${url}${path}`);
console.log("\nCtrl-C ends.");
