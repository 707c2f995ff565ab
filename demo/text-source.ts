/** The text to learn from: the one that comes with the page, or the visitor's own. */
import { RnnError } from "webgpu-rnn";
import { block, button, byId, count, input, say } from "./dom.ts";
import type { Text } from "./messages.ts";
import { countCharacters, readTextFile, shortName } from "./text-file.ts";

/**
 * Most characters in the field, because browsers lay out all of it at each keystroke. Longer texts are stored beside
 * it.
 */
const mostTyped = 50_000;
/** Number of characters shown of a text that is stored beside the field. */
const excerpt = 280;

const mobyDickName = "Moby Dick";
const pasted = "pasted text";

export class TextSource {
  private readonly choice = byId("text-source", HTMLSelectElement);
  private readonly area = byId("own-text", HTMLTextAreaElement);
  private readonly note = block("text-note");
  private mobyDick: Promise<string> | undefined;
  /** A file, or a text too long for the field. */
  private kept: Text | undefined;
  /** Counts the files that have been chosen: the last one wins, however long each takes to read. */
  private files = 0;
  private isLocked = false;

  /** @param complain says what is wrong with a file */
  constructor(private readonly complain: (title: string, message: string) => void) {
    this.choice.addEventListener("change", () => this.show());
    this.area.addEventListener("beforeinput", (event) => this.take(event));
    this.area.addEventListener("input", () => {
      if (this.area.textLength > mostTyped) this.keep({ name: pasted, text: this.area.value });
      else this.show();
    });
    button("own-drop").addEventListener("click", () => {
      this.kept = undefined;
      this.show();
      this.area.focus();
    });
    const field = input("own-file");
    field.addEventListener("change", () => {
      const file = field.files?.[0];
      // The same file may be chosen again.
      if (file) void this.read(file).finally(() => (field.value = ""));
    });
    this.show();
  }

  /** Uses a text file, chosen or dropped, unless a training reads another. */
  async read(file: File): Promise<void> {
    const ticket = ++this.files;
    try {
      const text = await readTextFile(file);
      if (ticket !== this.files) return;
      if (this.isLocked)
        this.complain(
          "This text was not taken",
          `The training goes on with its own. Stop it first, then choose ${shortName(file.name)} again.`,
        );
      else this.keep({ name: file.name === mobyDickName ? `${mobyDickName} (file)` : shortName(file.name), text });
    } catch (error) {
      if (ticket === this.files) this.complain("This text cannot be used", error instanceof RnnError ? error.message : String(error));
    }
  }

  /** The chosen text. @throws Error if it cannot be loaded */
  async get(): Promise<Text> {
    if (this.choice.value === "own") return this.kept ?? { name: pasted, text: this.area.value };
    this.mobyDick ??= load("moby-dick.txt").catch((error: unknown) => {
      this.mobyDick = undefined;
      throw error;
    });
    return { name: mobyDickName, text: await this.mobyDick };
  }

  /** Chooses a text that `get` has given before. */
  use(text: Text): void {
    if (text.name !== mobyDickName) return this.keep(text);
    this.mobyDick = Promise.resolve(text.text);
    this.choice.value = "moby-dick";
    this.show();
  }

  /** While a training reads the chosen text, no other can be chosen. */
  set locked(value: boolean) {
    this.isLocked = value;
    for (const element of [this.choice, this.area, input("own-file"), button("own-drop")]) element.disabled = value;
  }

  private keep(text: Text): void {
    const fits = text.name === pasted && text.text.length <= mostTyped;
    this.kept = fits ? undefined : text;
    this.area.value = fits ? text.text : "";
    this.choice.value = "own";
    this.show();
  }

  /** A long text never enters the field. */
  private take(event: InputEvent): void {
    const added = event.data ?? event.dataTransfer?.getData("text/plain") ?? "";
    const { value, selectionStart, selectionEnd, textLength } = this.area;
    if (textLength + added.length <= mostTyped) return;
    event.preventDefault();
    this.keep({ name: pasted, text: `${value.slice(0, selectionStart)}${added.replace(/\r\n?/g, "\n")}${value.slice(selectionEnd)}` });
  }

  private show(): void {
    const own = this.choice.value === "own";
    const { kept } = this;
    block("own").hidden = !own;
    block("own-typed").hidden = kept !== undefined;
    block("own-kept").hidden = kept === undefined;
    if (kept) {
      block("own-name").textContent = kept.name;
      block("own-excerpt").textContent = `${kept.text.slice(0, excerpt).trimStart()}…`;
    }
    const characters = !own ? 0 : kept ? countCharacters(kept.text) : countCharacters(this.area.value);
    say(this.note, characters > 0 ? `${count(characters)} characters` : "");
  }
}

async function load(file: string): Promise<string> {
  const response = await fetch(file);
  if (!response.ok) throw new Error(`${file} could not be loaded (${response.status}); choose a text of your own instead`);
  return response.text();
}
