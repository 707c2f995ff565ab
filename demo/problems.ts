/** What to tell the visitor when something goes wrong, and what can be done about it. */
import type { BackendChoice, Problem } from "./messages.ts";
import type { Way } from "./notices.ts";

export interface Remedies {
  readonly learningRate: number;
  /** Whether there is a copy of the training to go on from. */
  readonly hasCopy: boolean;
  useBackend(choice: BackendChoice): void;
  /** Goes on from the last copy, or else anew. */
  goOn(where: BackendChoice): void;
  slowDown(learningRate: number): void;
  save(): void;
}

export interface Explanation {
  readonly title: string;
  readonly message: string;
  readonly ways: readonly Way[];
}

export function explain({ during, kind, message }: Problem, remedies: Remedies): Explanation {
  const save: readonly Way[] = remedies.hasCopy ? [{ label: "Download the last copy", go: () => remedies.save() }] : [];
  if (kind === "numeric") {
    const slower = Number((remedies.learningRate / 3).toPrecision(1));
    return { title: "The loss is no longer a number", message, ways: [{ label: `Continue with learning rate ${slower}`, go: () => remedies.slowDown(slower) }, ...save] };
  }
  if (kind === "format") {
    return { title: "This file cannot be opened", message: `${message}. The present model is as it was.`, ways: [] };
  }
  if (kind === "device" && (during === "backend" || during === "start") && !message.includes("gone")) {
    return { title: "WebGPU cannot be used here", message, ways: [{ label: "Use the CPU", go: () => remedies.useBackend("cpu") }] };
  }
  if (kind === "device" || during === "training") {
    const from = remedies.hasCopy ? "Continue from the last copy" : "Begin again";
    const ways: readonly Way[] = [{ label: `${from} on the CPU`, go: () => remedies.goOn("cpu") }, { label: `${from} on WebGPU`, go: () => remedies.goOn("webgpu") }, ...save];
    return { title: kind === "device" ? "The device was lost" : "Training has ended", message, ways };
  }
  const title = during === "start" ? "These settings do not work" : "That did not work";
  return { title, message, ways: [] };
}
