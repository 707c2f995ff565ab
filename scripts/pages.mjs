// Bundles the pages: demo/ to build/site/, demo/gradients/ to build/site/gradients/, bench/ (when it has a page) to
// build/site/bench/. In each folder main.ts and every worker*.ts are bundled under their own names, so that a page says
// `new Worker(new URL("./worker.js", import.meta.url), { type: "module" })`; all other files are copied, TypeScript left out.
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { extname, join } from "node:path";
import { buildPeers } from "../bench/build-peers.mjs";
import { bundle, root } from "./bundle.mjs";
import { mobyDick } from "./moby-dick.mjs";

/** `title`: what the links of all pages call it. */
const pages = [
  { name: "demo", path: "", title: "Learning to write" },
  { name: "demo/gradients", path: "gradients/", title: "Vanishing gradients" },
  { name: "demo/models", path: "models/", title: "Bring your model" },
  { name: "demo/audio", path: "audio/", title: "Play through a network" },
  { name: "bench", path: "bench/", title: "How fast is it here?", also: (outdir) => buildPeers(join(outdir, "peers")) },
];

/** Files in a page's folder that pages do not need: programs, notes, packages. */
const notForPages = /\.(ts|mjs|js|md|py|wgsl)$|^(node_modules|peers|package(-lock)?\.json|\..*)$/;

/** Fills the page's empty `<nav class="pages">` with links to all of them. */
async function link(file, path, linked) {
  const up = "../".repeat(path.split("/").length - 1);
  const links = linked.map(
    (page) => `<a href="${up + page.path || "./"}"${page.path === path ? ' aria-current="page"' : ""}>${page.title}</a>`,
  );
  await writeFile(file, (await readFile(file, "utf8")).replace(/(<nav class="pages"[^>]*>)(?=<\/nav>)/, `$1${links.join("")}`));
}

/**
 * Bundles the page in the folder `name` into `outdir`.
 * @param {{ splitting?: boolean }} [options] `splitting`: what is not needed at once has files of its own
 */
export async function buildPage(name, outdir, { splitting = true } = {}) {
  const source = join(root, name);
  const files = await readdir(source);
  const entries = files.filter((file) => /^(main|worker.*)\.ts$/.test(file));
  await mkdir(outdir, { recursive: true });
  for (const file of files) {
    const isPage = pages.some((page) => page.name === `${name}/${file}`);
    if (!isPage && !notForPages.test(file))
      await cp(join(source, file), join(outdir, file), { recursive: true, filter: (path) => extname(path) !== ".ts" });
  }
  await bundle({ entryPoints: entries.map((file) => join(source, file)), outdir, splitting, loader: { ".txt": "text" } });
  // A worklet may not import() anything, so its file has everything.
  const worklets = files.filter((file) => /^worklet.*\.ts$/.test(file)).map((file) => join(source, file));
  if (worklets.length > 0) await bundle({ entryPoints: worklets, outdir, minify: true });
}

/**
 * Builds all pages that exist into `folder`: the folder, and for each page its name and its path on the server.
 * @param {{ folder?: string, splitting?: boolean }} [options] `splitting` as `buildPage` has it
 */
export async function buildPages({ folder = join(root, "build", "site"), splitting = true } = {}) {
  await rm(folder, { recursive: true, force: true });
  const present = pages.filter(({ name }) => existsSync(join(root, name, "index.html")));
  await Promise.all(
    present.map(async ({ name, path, also }) => {
      await buildPage(name, join(folder, path), { splitting });
      await link(join(folder, path, "index.html"), path, present);
      await also?.(join(folder, path));
    }),
  );
  // The text that the demo trains on if the visitor brings none.
  await writeFile(join(folder, "moby-dick.txt"), mobyDick());
  return { folder, pages: present };
}
