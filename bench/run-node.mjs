// The bench under Node, with Dawn as the WebGPU implementation.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { bundleProgram, root } from "../scripts/bundle.mjs";
import { nodeAdapter } from "../scripts/vulkan.mjs";

export async function runInNode(options, { machine, onEvent }) {
  const outfile = join(root, "build", "programs", "bench.mjs");
  const [{ variables }] = await Promise.all([nodeAdapter(), bundleProgram("bench/node.ts", outfile)]);
  // Dawn reads its environment when it is loaded, which is not before the first device is asked for.
  Object.assign(process.env, variables);
  process.setSourceMapsEnabled(true);
  const { benchInNode, reportText } = await import(pathToFileURL(outfile).href);
  const absent = [];
  const report = await benchInNode(options, { libraries: [], absent }, onEvent);
  return { report: { ...report, machine }, text: reportText(report) };
}
