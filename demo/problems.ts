/** Tells the visitor what went wrong and what to do about it. */
import type { BackendChoice, Problem } from "./messages.ts";
import type { Way } from "./notices.ts";

export interface Remedies {
  readonly learningRate: number;
  /** True if there is a copy of the training to continue from. */
  readonly hasCopy: boolean;
  useBackend(choice: BackendChoice): void;
  /** Continues from the last copy, or starts again if there is none. */
  goOn(where: BackendChoice): void;
  slowDown(learningRate: number): void;
  /** Makes a new network for the chosen text. */
  trainNew?(): void;
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
    const when = /step \d+ gave loss \S+/.exec(message)?.[0];
    const text = `${when ? `${when[0].toUpperCase()}${when.slice(1)}` : "A step gave no number"}. The network is as it was before; a lower learning rate takes smaller steps.`;
    return {
      title: "The loss is no longer a number",
      message: text,
      ways: [{ label: `Continue with learning rate ${slower}`, go: () => remedies.slowDown(slower) }, ...save],
    };
  }
  if (during === "open" && kind !== "device" && kind !== "other") {
    return { title: "This file cannot be opened", message: `${message}. The present model is as it was.`, ways: [] };
  }
  if (kind === "device" && (during === "backend" || during === "start") && !message.includes("gone")) {
    return { title: "WebGPU cannot be used here", message, ways: [{ label: "Use the CPU", go: () => remedies.useBackend("cpu") }] };
  }
  if (kind === "device" || during === "training") {
    const from = remedies.hasCopy ? "Continue from the last copy" : "Begin again";
    const ways: readonly Way[] = [
      { label: `${from} on the CPU`, go: () => remedies.goOn("cpu") },
      { label: `${from} on WebGPU`, go: () => remedies.goOn("webgpu") },
      ...save,
    ];
    return { title: kind === "device" ? "The device was lost" : "Training has ended", message, ways };
  }
  if (kind === "other" && /memory|allocation|array (buffer )?length/i.test(message)) {
    return { title: "There is not enough memory", message: `${message}. Choose a smaller Hidden size, Batch or Window.`, ways: save };
  }
  if (during === "resume" && kind === "data" && remedies.trainNew) {
    return {
      title: "This network cannot learn from this text",
      message,
      ways: [{ label: "Train a new network on it", go: () => remedies.trainNew!() }],
    };
  }
  const title = during === "start" || during === "verify" ? "These settings do not work" : "That did not work";
  return { title, message, ways: [] };
}
