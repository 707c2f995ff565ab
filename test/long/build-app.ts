/** Builds an app with each bundler as its documentation says first, that is, without settings. */
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { run, tool, tools, type Ran } from "./packed.ts";

type Bundle = (project: string, source: string, out: string) => Promise<Ran>;

const node = (project: string, ...args: string[]): Promise<Ran> => run(project, process.execPath, args);

/** `source` is a script below the project; its page is beside it. */
const bundlers: Readonly<Record<string, Bundle>> = {
  vite: (project, source, out) => node(project, tool("vite"), "build", join(source, ".."), "--outDir", out, "--emptyOutDir"),
  webpack: (project, source, out) =>
    node(project, tool("webpack-cli"), "build", "--entry", `./${source}`, "--mode", "production", "--output-path", out),
  async rollup(project, source, out) {
    // Rollup's own documentation adds this plugin for anything from node_modules.
    const plugin = pathToFileURL(join(tools, "node_modules/@rollup/plugin-node-resolve/dist/es/index.js")).href;
    await writeFile(
      join(project, "rollup.config.mjs"),
      `import resolve from ${JSON.stringify(plugin)};\nexport default { plugins: [resolve()] };\n`,
    );
    return node(project, tool("rollup"), "--config", "--input", source, "--dir", out, "--format", "es", "--entryFileNames", "main.js");
  },
  esbuild: (project, source, out) => run(project, tool("esbuild"), [source, "--bundle", "--minify", `--outfile=${join(out, "main.js")}`]),
  parcel: (project, source, out) =>
    node(project, tool("parcel"), "build", join(source, "../index.html"), "--dist-dir", out, "--no-autoinstall"),
};

export const bundlerNames = Object.keys(bundlers);

const built = new Map<string, Promise<string>>();

/** The folder to serve, built once. @throws Error for whatever a bundler complains of */
export function buildApp(bundler: string, project: string, app: string, script: string): Promise<string> {
  const key = `${project} ${bundler} ${app}`;
  const folder = built.get(key) ?? build(bundler, project, app, script);
  built.set(key, folder);
  return folder;
}

async function build(bundler: string, project: string, app: string, script: string): Promise<string> {
  const out = join(project, "out", bundler, app);
  const source = `apps/${app}/${script}`;
  await mkdir(out, { recursive: true });
  const { code, text } = await bundlers[bundler](project, source, out);
  if (code !== 0 || /\bwarn|\berror\b|⚠|\(!\)|deprecat/i.test(text)) throw new Error(`${bundler} complains about ${script}:\n${text}`);
  if (!["vite", "parcel"].includes(bundler)) {
    await copyFile(join(project, `apps/${app}/index.html`), join(out, "index.html"));
    // These name their result main.js, whatever the script is called.
    if (script !== "main.js") await writeFile(join(out, script), 'import "./main.js";\n');
  }
  return out;
}
