import { RnnError, show } from "../errors.ts";

function checkText(text: unknown): void {
  if (typeof text !== "string") throw new RnnError("data", "Vocabulary", `text must be a string, got ${show(text)}`);
}

/** Characters (Unicode code points) and their ids, in the order given. */
export class Vocabulary {
  private readonly ids: ReadonlyMap<string, number>;

  /** @throws RnnError `data` if there are none or one is there twice */
  constructor(readonly characters: readonly string[]) {
    this.ids = new Map(characters.map((c, i) => [c, i]));
    if (characters.length === 0) throw new RnnError("data", "Vocabulary", "needs at least one character");
    if (this.ids.size !== characters.length) throw new RnnError("data", "Vocabulary", "has a character twice");
  }

  /** The characters of a text, sorted, so that equal texts give equal ids. @throws RnnError `data` if it is empty */
  static of(text: string): Vocabulary {
    checkText(text);
    return new Vocabulary([...new Set(text)].sort());
  }

  get size(): number {
    return this.characters.length;
  }

  /** @throws RnnError `data`, naming the first character that is not in the vocabulary */
  encode(text: string): Uint32Array {
    checkText(text);
    // No array of characters in between: a text may have a hundred million.
    const ids = new Uint32Array(text.length);
    let count = 0;
    for (const c of text) {
      const id = this.ids.get(c);
      if (id === undefined) throw new RnnError("data", "Vocabulary", `${show(c)} at position ${count} is not among the ${this.size} known characters`);
      ids[count++] = id;
    }
    return ids.slice(0, count);
  }

  decode(ids: Iterable<number>): string {
    return Array.from(ids, (id) => this.characters[id] ?? "\ufffd").join("");
  }

  toString(): string {
    return this.characters.join("");
  }
}
