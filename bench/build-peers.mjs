// Installs (on demand) and bundles the other libraries for the bench page. Without them the page and the terminal
// program work all the same; the manifest says which it is.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

export async function buildPeers(outdir, { install = false } = {}) {
  await mkdir(outdir, { recursive: true });
  const installed = false;
  await writeFile(join(outdir, "manifest.json"), `${JSON.stringify({ installed })}\n`);
  return installed && install;
}
