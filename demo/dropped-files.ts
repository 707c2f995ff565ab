/** Files that a visitor chooses or drops: checkpoints are opened, everything else is a text. */
import { input } from "./dom.ts";
import { inBytes } from "./size.ts";
import { shortName } from "./text-file.ts";

/** Bytes of the largest checkpoint that is read. */
const mostFile = 2 ** 30;

export interface FileUse {
  /** True while the page prepares a model and cannot open another. */
  isBusy(): boolean;
  checkpoint(file: Uint8Array<ArrayBuffer>, name: string): void;
  text(file: File): Promise<void>;
  /** Says why a checkpoint is not opened. */
  refuse(message: string): void;
}

/** Listens to the field for checkpoints, and to files that are dropped anywhere on the page. */
export function takeFiles(use: FileUse): void {
  input("upload").addEventListener("change", () => {
    const file = input("upload").files?.[0];
    // The same file may be chosen again.
    if (file) void open(file).finally(() => (input("upload").value = ""));
  });
  addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    const file = event.dataTransfer?.files[0];
    if (file) void (file.name.toLowerCase().endsWith(".safetensors") ? open(file) : use.text(file));
  });

  async function open(file: File): Promise<void> {
    const name = shortName(file.name);
    if (use.isBusy()) return use.refuse("The page is getting another model ready; try again in a moment.");
    if (file.size > mostFile) return use.refuse(`${name} has ${inBytes(file.size)}; a checkpoint may have up to ${inBytes(mostFile)}.`);
    const bytes = await file.arrayBuffer().catch(() => undefined);
    if (!bytes) return use.refuse(`${name} cannot be read; it may be a folder, or have changed since it was chosen.`);
    use.checkpoint(new Uint8Array(bytes), name);
  }
}

const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false;
