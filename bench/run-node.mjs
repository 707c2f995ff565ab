// The bench under Node, with Dawn as the WebGPU implementation.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { bundleProgram, root } from "../scripts/bundle.mjs";
import { nodeAdapter } from "../scripts/vulkan.mjs";
import { buildPeers } from "./build-peers.mjs";

export async function runInNode(plan, { peers, machine, onEvent }) {
  const outfile = join(root, "build", "programs", "bench.mjs");
  const peersFolder = join(root, "build", "programs", "bench-peers");
  const [{ variables }] = await Promise.all([
    nodeAdapter(),
    bundleProgram("bench/node.ts", outfile),
    buildPeers(peersFolder, { install: peers, forNode: true }),
  ]);
  // Dawn reads its environment when it is loaded, which is not before the first device is asked for.
  Object.assign(process.env, variables);
  process.setSourceMapsEnabled(true);
  const { benchInNode, reportText } = await import(pathToFileURL(outfile).href);
  const report = await benchInNode(plan, { peersFolder, all: peers, machine, onEvent });
  return { report, text: reportText(report) };
}
