import { checkCount, reading, RnnError, show } from "../errors.ts";
import { idsBelow, takeList } from "../tensor/take.ts";

function checkText(text: unknown): void {
  if (typeof text !== "string") throw new RnnError("data", "Vocabulary", `text must be a string, got ${show(text)}`);
}

/** For example a Set or a generator; an object with a length is read by its indices. */
const isIterator = (ids: unknown): ids is Iterable<number> =>
  typeof ids === "object" && ids !== null && !("length" in ids) && Symbol.iterator in ids;

/** Unicode has no more characters than this. */
const codePoints = 0x110000;

/** Characters (Unicode code points) and their ids, in the order given. */
export class Vocabulary {
  readonly characters: readonly string[];
  private readonly ids: ReadonlyMap<string, number>;

  /** @throws RnnError `data` if there are none, or one is repeated or is not a single character */
  constructor(given: readonly string[]) {
    const characters = reading("data", "Vocabulary", "characters", () => {
      if (!Array.isArray(given)) throw new RnnError("data", "Vocabulary", `characters must be a list, got ${show(given)}`);
      checkCount("Vocabulary", "characters", given.length, codePoints);
      return Array.from(given as readonly string[]);
    });
    this.characters = characters;
    const other = characters.findIndex((c) => typeof c !== "string" || Array.from(c).length !== 1);
    if (other >= 0)
      throw new RnnError(
        "data",
        "Vocabulary",
        `characters must be single Unicode code points, got ${show(characters[other])} at index ${other}`,
      );
    this.ids = new Map(characters.map((c, i) => [c, i]));
    if (characters.length === 0) throw new RnnError("data", "Vocabulary", "needs at least one character");
    if (this.ids.size !== characters.length) throw new RnnError("data", "Vocabulary", "has a character twice");
  }

  /** The characters of a text, sorted, so that equal texts give equal ids. @throws RnnError `data` if it is empty */
  static of(text: string): Vocabulary {
    checkText(text);
    return new Vocabulary([...new Set(text)].sort());
  }

  /** Number of characters. */
  get size(): number {
    return this.characters.length;
  }

  /** @throws RnnError `data`, naming the first character that is not in the vocabulary */
  encode(text: string): Uint32Array {
    checkText(text);
    // Without an array of characters in between, because a text may have a hundred million.
    const ids = new Uint32Array(text.length);
    let count = 0;
    for (const c of text) {
      const id = this.ids.get(c);
      if (id === undefined)
        throw new RnnError("data", "Vocabulary", `${show(c)} at position ${count} is not among the ${this.size} known characters`);
      ids[count++] = id;
    }
    return ids.slice(0, count);
  }

  /** The characters of these ids. @throws RnnError `data` if an id is none of the vocabulary\'s */
  decode(ids: Iterable<number>): string {
    const list = takeList(
      "Vocabulary",
      "ids",
      reading("data", "Vocabulary", "ids", () => (isIterator(ids) ? [...ids] : ids)),
      idsBelow(this.size),
      "a list of ids",
    );
    return Array.from(list, (id) => this.characters[id]).join("");
  }

  /** All characters in order; `new Vocabulary([...text])` makes the same vocabulary. */
  toString(): string {
    return this.characters.join("");
  }
}
