// Finds a development tool's program file, so that scripts start it with `node FILE`: no shell, no npx,
// the same on every system.
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const require = createRequire(import.meta.url);

export function tool(packageName, binary = packageName) {
  const manifest = require.resolve(`${packageName}/package.json`);
  const { bin } = require(manifest);
  return join(dirname(manifest), typeof bin === "string" ? bin : bin[binary]);
}
