/**
 * Trainings kept in this browser, so that a reload loses none. Each tab keeps its own: a lock says which trainings are
 * open in a tab, and no other tab offers or overwrites these.
 */
import { openDB, type DBSchema, type IDBPDatabase } from "idb";
import type { SavedLosses } from "./loss-history.ts";
import type { Text } from "./messages.ts";
import { inBytes } from "./size.ts";

/** The saved state of a training. */
export interface Training {
  readonly file: Uint8Array<ArrayBuffer>;
  readonly step: number;
  /** Network and text, in words. */
  readonly about: string;
  /** Null: there was none at hand. */
  readonly text: Text | null;
  readonly losses: SavedLosses;
}

interface Entry {
  readonly id: string;
  readonly savedAt: number;
  readonly step: number;
  readonly about: string;
  readonly losses: SavedLosses;
  readonly bytes: number;
}

interface Schema extends DBSchema {
  runs: { key: string; value: Entry };
  files: { key: string; value: Uint8Array<ArrayBuffer> };
  texts: { key: string; value: Text | null };
}
const stores = ["runs", "files", "texts"] as const;

/** A saved training that can be continued. */
export interface Offer extends Pick<Entry, "id" | "savedAt" | "step" | "about" | "losses"> {
  load(): Promise<Pick<Training, "file" | "text">>;
}

/** Trainings and bytes that are kept at most; the oldest go first. */
const most = { trainings: 3, bytes: 400e6 };

export class Autosave {
  private id = "";
  private release: () => void = () => undefined;
  /** The text that is kept already under this id. */
  private text: Text | null | undefined;
  private last: Promise<unknown> = Promise.resolve();

  private constructor(private readonly database: IDBPDatabase<Schema>) {}

  /** @throws Error where the browser keeps nothing, as some do in private windows */
  static async open(name = "webgpu-rnn"): Promise<Autosave> {
    if (!("locks" in navigator)) throw new Error("this browser has no locks between tabs");
    const database = await openDB<Schema>(name, 1, {
      upgrade(fresh) {
        fresh.createObjectStore("runs", { keyPath: "id" });
        for (const store of ["files", "texts"] as const) fresh.createObjectStore(store);
      },
      // Another version of this page wants to change the database.
      blocking: (_current, _blocked, event) => (event.target as IDBDatabase).close(),
    });
    return new Autosave(database);
  }

  /** From now on another training is kept: a new one, or one that was offered. */
  async begin(offer?: Offer): Promise<void> {
    if (offer && offer.id === this.id) return;
    this.id = crypto.randomUUID();
    this.text = undefined;
    this.release();
    this.release = (await hold(this.id)) ?? (() => undefined);
  }

  /** Saves this training over its earlier save. @throws Error, in words, if there is no room */
  save(training: Training): Promise<void> {
    const { id } = this;
    const saved = this.last.then(() => this.write(id, training));
    this.last = saved.catch(() => undefined);
    return saved;
  }

  /** The last training that is open in no tab, which is held for this one; undefined if there is none. */
  async offer(): Promise<Offer | undefined> {
    const entries = await this.database.getAll("runs");
    for (const entry of entries.sort((a, b) => b.savedAt - a.savedAt)) {
      const release = await hold(entry.id);
      if (!release) continue;
      this.release();
      [this.id, this.release, this.text] = [entry.id, release, undefined];
      return { ...entry, load: () => this.load(entry.id) };
    }
    return undefined;
  }

  async discard(id: string): Promise<void> {
    const change = this.database.transaction(stores, "readwrite");
    await Promise.all([...stores.map((store) => change.objectStore(store).delete(id)), change.done]);
  }

  private async load(id: string): Promise<Pick<Training, "file" | "text">> {
    const [file, text] = await Promise.all([this.database.get("files", id), this.database.get("texts", id)]);
    if (!file) throw new Error("it is no longer there");
    return { file, text: text ?? null };
  }

  private async write(id: string, training: Training): Promise<void> {
    const bytes = training.file.byteLength + 2 * (training.text?.text.length ?? 0);
    if (bytes > most.bytes) throw new Error(`its ${inBytes(bytes)} are more than the ${inBytes(most.bytes)} that this page keeps`);
    await this.makeRoom(id, bytes, most.trainings - 1);
    try {
      await this.put(id, training, bytes);
    } catch (error) {
      if (!isQuota(error)) throw error;
      await this.makeRoom(id, Infinity, 0);
      await this.put(id, training, bytes).catch((again: unknown) => {
        throw isQuota(again) ? new Error(`the browser has no room for its ${inBytes(bytes)}`) : again;
      });
    }
  }

  private async put(id: string, { file, step, about, text, losses }: Training, bytes: number): Promise<void> {
    const change = this.database.transaction(stores, "readwrite");
    // A text may be long, and hardly ever changes.
    const newText = id === this.id && text === this.text ? [] : [change.objectStore("texts").put(text, id)];
    const entry = { id, savedAt: Date.now(), step, about, losses, bytes };
    await Promise.all([change.objectStore("runs").put(entry), change.objectStore("files").put(file, id), ...newText, change.done]);
    if (id === this.id) this.text = text;
  }

  /** Lets the oldest go that are open in no tab, until there is room for `bytes` beside `others`. */
  private async makeRoom(id: string, bytes: number, others: number): Promise<void> {
    const { held = [] } = await navigator.locks.query();
    const isOpen = new Set(held.map(({ name }) => name));
    const entries = (await this.database.getAll("runs")).filter((entry) => entry.id !== id).sort((a, b) => b.savedAt - a.savedAt);
    let total = bytes;
    for (const [place, entry] of entries.entries()) {
      total += entry.bytes;
      if ((place >= others || total > most.bytes) && !isOpen.has(lockOf(entry.id))) await this.discard(entry.id);
    }
  }
}

const lockOf = (id: string): string => `webgpu-rnn training ${id}`;

/** Takes the lock of a training, and returns what gives it back; undefined if another tab has it. */
function hold(id: string): Promise<(() => void) | undefined> {
  return new Promise((resolve, reject) => {
    navigator.locks
      .request(lockOf(id), { ifAvailable: true }, (lock) => {
        if (lock) return new Promise<void>((release) => resolve(release));
        resolve(undefined);
        return undefined;
      })
      .catch(reject);
  });
}

const isQuota = (error: unknown): boolean => error instanceof DOMException && error.name === "QuotaExceededError";
