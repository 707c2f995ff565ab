/** The text to learn from: the one that comes with the page, or the visitor's own. */
import { block, byId, count, input, say } from "./dom.ts";
import type { Text } from "./messages.ts";

export class TextSource {
  private readonly choice = byId("text-source", HTMLSelectElement);
  private readonly area = byId("own-text", HTMLTextAreaElement);
  private readonly note = block("text-note");
  private mobyDick: Promise<string> | undefined;
  private ownName = "pasted text";

  constructor() {
    this.choice.addEventListener("change", () => this.show());
    this.area.addEventListener("input", () => {
      this.ownName = "pasted text";
      this.show();
    });
    input("own-file").addEventListener("change", ({ target }) => {
      const files = (target as HTMLInputElement).files;
      if (files?.[0]) void this.read(files[0]);
    });
    this.show();
  }

  /** Takes over a text file, chosen or dropped. */
  async read(file: File): Promise<void> {
    this.area.value = await file.text();
    this.ownName = file.name;
    this.choice.value = "own";
    this.show();
  }

  /** The chosen text. @throws Error if it cannot be loaded */
  async get(): Promise<Text> {
    if (this.choice.value === "own") return { name: this.ownName, text: this.area.value };
    this.mobyDick ??= load("moby-dick.txt").catch((error: unknown) => {
      this.mobyDick = undefined;
      throw error;
    });
    return { name: "Moby Dick", text: await this.mobyDick };
  }

  set disabled(value: boolean) {
    for (const element of [this.choice, this.area, input("own-file")]) element.disabled = value;
  }

  private show(): void {
    const own = this.choice.value === "own";
    block("own").hidden = !own;
    const { length } = this.area.value;
    say(this.note, own && length > 0 ? `${this.ownName}: ${count(length)} characters` : "");
  }
}

async function load(file: string): Promise<string> {
  const response = await fetch(file);
  if (!response.ok) throw new Error(`${file} could not be loaded (${response.status}); choose a text of your own instead`);
  return response.text();
}
