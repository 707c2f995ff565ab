/** Takes results out of the page. */
import { download } from "../demo/dom.ts";

export function downloadText(name: string, text: string): void {
  download(new TextEncoder().encode(text), name);
}

/** Puts the text on the clipboard. Resolves to what to tell the visitor. */
export async function copyText(text: string): Promise<string> {
  try {
    await navigator.clipboard.writeText(text);
    return "Copied.";
  } catch {
    return "This browser does not let the page copy; download the results instead.";
  }
}
