// Runs in the page: says which adapter the browser has, runs the bundled device tests one file after the other,
// and reports each result to test/browser/lane.mjs.
import { startTests, type VitestRunner, type VitestRunnerConfig } from "@vitest/runner";
import type { Suite, Task, Test } from "@vitest/runner";
import { tests } from "virtual:device-tests";
import type { Message } from "./messages.ts";
import { checkExpect, resetExpect } from "./vitest.ts";

declare global {
  /** Installed by the lane before the page loads. */
  var report: (messages: readonly Message[]) => Promise<void>;
}

const nameOf = (task: Task): string => (task.suite === undefined ? task.name : `${nameOf(task.suite)} > ${task.name}`);

/** A call out of the page takes longer than many a test: what there is to say is said ten times a second. */
const interval = 100;
let unsaid: Message[] = [];
let saidAt = -interval;

function sayAll(): Promise<void> {
  const messages = unsaid;
  [unsaid, saidAt] = [[], performance.now()];
  return messages.length > 0 ? report(messages) : Promise.resolve();
}

// A page can be closed by the lane at any moment after its last report; nothing waits for the others.
function send(message: Message): void {
  unsaid.push(message);
  if (performance.now() - saidAt >= interval) void sayAll();
  else if (unsaid.length === 1) setTimeout(() => void sayAll(), interval);
}

const config: VitestRunnerConfig = {
  root: "",
  name: undefined,
  setupFiles: [],
  passWithNoTests: false,
  testNamePattern: undefined,
  allowOnly: true,
  sequence: { hooks: "stack", setupFiles: "list", seed: 1 },
  chaiConfig: undefined,
  maxConcurrency: 1,
  testTimeout: 600_000,
  hookTimeout: 600_000,
  retry: 0,
  includeTaskLocation: false,
  tags: [],
  tagsFilter: undefined,
  strictTags: false,
};

const runner: VitestRunner = {
  config,
  importFile: (path) => tests[path](),
  onBeforeRunTask: (test) => send({ kind: "start", name: nameOf(test) }),
  onBeforeTryTask: (test) => resetExpect(nameOf(test)),
  onAfterTryTask: () => checkExpect(),
};

/** A failed suite whose tests never ran (a failing beforeAll, a file that does not load) counts as a failure itself. */
function reportResults(task: Suite | Test): void {
  const errors = (task.result?.errors ?? []).map(({ message, diff, stack }) => [message, diff, stack].filter(Boolean).join("\n"));
  if (task.type === "test") {
    const state = task.result?.state;
    send({ kind: "result", name: nameOf(task), state: state === "pass" || state === "fail" ? state : "skip", errors });
    return;
  }
  if (errors.length > 0) send({ kind: "result", name: nameOf(task), state: "fail", errors });
  for (const child of task.tasks) reportResults(child);
}

const countTests = (task: Suite | Test): number =>
  task.type === "test" ? 1 : task.tasks.reduce((sum, child) => sum + countTests(child), 0);

async function describeAdapter(): Promise<Message> {
  const adapter = "gpu" in navigator ? await navigator.gpu.requestAdapter() : null;
  if (adapter === null) return { kind: "adapter", adapter: null, software: false };
  const { vendor, architecture, device, description, isFallbackAdapter } = adapter.info;
  const name = [vendor, architecture, device, description].filter(Boolean).join(" ");
  return { kind: "adapter", adapter: name || "one that the browser does not name", software: isFallbackAdapter };
}

const found = await describeAdapter();
send(found);
if (found.kind === "adapter" && found.adapter !== null) {
  for (const path of Object.keys(tests)) {
    const started = performance.now();
    const [file] = await startTests([path], runner);
    reportResults(file);
    send({ kind: "file", path, tests: countTests(file), milliseconds: Math.round(performance.now() - started) });
  }
}
send({ kind: "done" });
await sayAll();
