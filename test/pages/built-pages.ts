/** Builds the pages once, before the first of the tests that open them. */
import { join } from "node:path";
import { root } from "../../scripts/bundle.mjs";
import { buildPages } from "../../scripts/pages.mjs";

/** The browser that these tests steer. Two of them may run side by side, so that each has a folder. */
export const kind = process.env.BROWSER === "firefox" ? "firefox" : "chromium";
export const folder = join(root, "build", `test-pages-${kind}`);

/**
 * A page loads two hundred files, as it is published, and takes three times the processor time that it takes in one piece.
 * Firefox has them as published, and so has Chromium in the thorough runs.
 */
export default async function setup(): Promise<void> {
  await buildPages({ folder, splitting: kind === "firefox" || Boolean(process.env.THOROUGH) });
}
