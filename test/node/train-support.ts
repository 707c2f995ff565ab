/** Starts the training program as a user does, on a text that is soon learnt. */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundleProgram, root } from "../../scripts/bundle.mjs";

export const program = join(root, "build", "tests", "train.mjs");

/** Call this before all tests of a file. */
export const buildProgram = (): Promise<void> => bundleProgram("scripts/train/train.ts", program);

/** 3,000 characters that are easy to foretell. */
export const text = "the whale swam by. the ship sank. who saw the white whale? I saw it! ".repeat(44);

/** A model and batch that train in milliseconds. */
export const tiny = ["--embedding", "6", "--hidden", "10", "--batch", "4", "--length", "8", "--backend", "cpu", "--sample", "20"];

export class Folder {
  readonly path = mkdtempSync(join(tmpdir(), "train-"));

  constructor() {
    this.write("text.txt", text);
  }

  at(name: string): string {
    return join(this.path, name);
  }

  write(name: string, content: string | Uint8Array): string {
    writeFileSync(this.at(name), content);
    return this.at(name);
  }

  read(name: string): Buffer {
    return readFileSync(this.at(name));
  }

  json(name: string): Report {
    return JSON.parse(this.read(name).toString()) as Report;
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

export interface Report {
  text: string;
  characters: number;
  vocabulary: number;
  backend: string;
  adapter: string;
  reason: string;
  parameters: number;
  options: Record<string, unknown>;
  firstStep: number;
  steps: number;
  losses: number[];
  finalLoss: number | null;
  validation?: { loss: number; bitsPerCharacter: number; perplexity: number };
  seconds: number;
  tokensPerSecond: number | null;
  prompt: string;
  sample: string;
  stopped: string;
  error?: string;
}

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface Started extends Promise<Ended> {
  readonly child: ChildProcess;
  /** Resolves when standard output holds `text`. */
  printed(text: string): Promise<void>;
}

interface StartOptions {
  cwd?: string;
  env?: Record<string, string>;
  /** Command and arguments before those of the program. */
  command?: readonly string[];
}

/** Starts the program with these arguments. */
export function start(args: readonly string[], { cwd, env, command = [process.execPath, program] }: StartOptions = {}): Started {
  const child = spawn(command[0], [...command.slice(1), ...args], {
    cwd: cwd ?? root,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  const waiting = new Set<() => void>();
  child.stdout.on("data", (chunk) => {
    stdout += String(chunk);
    for (const check of waiting) check();
  });
  child.stderr.on("data", (chunk) => void (stderr += String(chunk)));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on("error", reject).on("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  const printed = (wanted: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const check = (): void => {
        if (stdout.includes(wanted)) resolve();
      };
      waiting.add(check);
      check();
      void ended.then(() => reject(new Error(`the program ended without "${wanted}":\n${stdout}${stderr}`)));
    });
  return Object.assign(ended, { child, printed });
}
