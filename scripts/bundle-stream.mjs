// webgpu-rnn/stream as one module without import().
import * as esbuild from "esbuild";
import { minify } from "terser";
import { root } from "./bundle.mjs";

/**
 * @param {string} entry src/stream.ts, or the module that was compiled of it
 * @param {"esm" | "cjs"} format
 * @returns {Promise<string>} minified
 */
export async function bundleStream(entry, format = "esm") {
  const { outputFiles } = await esbuild.build({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    format,
    platform: "browser",
    target: "es2022",
    write: false,
    logLevel: "warning",
  });
  const { code } = await minify(outputFiles[0].text, { module: format === "esm", compress: { passes: 2 }, keep_classnames: true });
  return code;
}
