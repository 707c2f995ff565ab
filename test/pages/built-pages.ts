/** Builds the pages once, before the first of the tests that open them. */
import { join } from "node:path";
import { root } from "../../scripts/bundle.mjs";
import { buildPages } from "../../scripts/pages.mjs";

/** The browser that these tests steer. Two of them may run side by side, so that each has a folder. */
export const kind = process.env.BROWSER === "firefox" ? "firefox" : "chromium";
export const folder = join(root, "build", `test-pages-${kind}`);

export default async function setup(): Promise<void> {
  await buildPages({ folder });
}
