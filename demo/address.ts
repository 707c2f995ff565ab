/** Settings in the page's address, so that they can be shared and outlive a reload. */
import { RnnError } from "webgpu-rnn";
import type { BackendChoice, Sampling, Settings } from "./messages.ts";
import { checkBackend, checkSampling, checkSettings } from "./settings.ts";

export interface Shared extends Settings, Sampling {
  readonly backend: BackendChoice;
}

const texts = ["cell", "backend", "prompt"] as const;
const numbers = ["embedding", "hidden", "layers", "batch", "window", "learningRate", "seed", "temperature", "length"] as const;
const names = [...texts, ...numbers];

/** Values that are right, to try one of an address beside. */
const right: Shared = {
  cell: "lstm",
  embedding: 1,
  hidden: 1,
  layers: 1,
  batch: 1,
  window: 1,
  learningRate: 1,
  seed: 0,
  backend: "auto",
  prompt: "",
  temperature: 1,
  length: 1,
};

export function toAddress(shared: Partial<Shared>): string {
  const query = new URLSearchParams();
  for (const name of names) {
    const value = shared[name];
    if (value !== undefined && (typeof value === "string" || Number.isFinite(value))) query.set(name, String(value));
  }
  return `?${query.toString()}`;
}

/**
 * Reads the settings of an address, and lists in words those that are invalid. Unknown names are ignored:
 * addresses are decorated by others.
 */
export function fromAddress(search: string): { shared: Partial<Shared>; problems: string[] } {
  const query = new URLSearchParams(search);
  const shared: Record<string, string | number> = {};
  const problems: string[] = [];
  for (const name of names) {
    const found = query.get(name);
    if (found === null) continue;
    const value = (texts as readonly string[]).includes(name) ? found : toNumber(found);
    try {
      check({ ...right, [name]: value });
      shared[name] = value;
    } catch (error) {
      if (!(error instanceof RnnError)) throw error;
      problems.push(error.message);
    }
  }
  return { shared: shared, problems };
}

function check(shared: Shared): void {
  checkSettings(shared);
  checkSampling(shared);
  checkBackend(shared.backend);
}

/** As written, where it is no number, so that messages can quote it. */
const toNumber = (text: string): number | string => (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text.trim()) ? Number(text) : text);
