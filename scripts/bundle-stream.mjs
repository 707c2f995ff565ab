// webgpu-rnn/stream as one module without import(). Code that most models do not need is left out: what asks for it gets an
// error that says so.
import * as esbuild from "esbuild";
import { minify } from "terser";
import { root } from "./bundle.mjs";
import { wgslPlugin } from "./wgsl-plugin.mjs";

/** The modules reached by import() that it holds. */
const held = /(^|\/)(wasm-builds\/running|inflate|stacked-input)\.(ts|js)$/;

const withoutRest = {
  name: "without-rest",
  setup(build) {
    build.onResolve({ filter: /.*/ }, ({ kind, path }) =>
      kind === "dynamic-import" && !held.test(path) ? { path: "rest", namespace: "rest" } : undefined,
    );
    build.onLoad({ filter: /.*/, namespace: "rest" }, () => ({
      contents: 'throw new Error("webgpu-rnn/stream does not have it; use webgpu-rnn/static");',
    }));
  },
};

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
    plugins: [wgslPlugin({ minify: true }), withoutRest],
    logLevel: "warning",
  });
  const { code } = await minify(outputFiles[0].text, { module: format === "esm", compress: { passes: 2 }, keep_classnames: true });
  return code;
}
