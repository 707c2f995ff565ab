/** The settings form, and when each setting may be changed. */
import { byId, choose, chosen, input, radios } from "../dom.ts";
import type { BackendChoice } from "../messages.ts";
import { isLearningRate } from "../settings.ts";
import type { Settings } from "./messages.ts";
import { labels } from "./networks.ts";

const numbers = ["steps", "units", "learningRate", "clip", "identityTimes"] as const;

export class Form {
  private readonly lastOnly = byId("lastOnly", HTMLSelectElement);

  /** `change`: of what only new networks can have. */
  constructor(on: { change: () => void; learningRate: (value: number) => void; backend: () => void }) {
    for (const field of [...numbers.map((name) => input(name)), this.lastOnly]) {
      if (field.id !== "learningRate") field.addEventListener("change", on.change);
    }
    input("learningRate").addEventListener("change", () => {
      const { learningRate } = this.read();
      input("learningRate").setAttribute("aria-invalid", String(!isLearningRate(learningRate)));
      if (isLearningRate(learningRate)) on.learningRate(learningRate);
    });
    for (const radio of radios("backend")) radio.addEventListener("change", on.backend);
    byId("settings", HTMLFormElement).addEventListener("submit", (event) => event.preventDefault());
  }

  get backend(): BackendChoice {
    return chosen("backend") as BackendChoice;
  }

  set backend(choice: BackendChoice) {
    choose("backend", choice);
  }

  /** As typed; the worker checks. An empty field is NaN. */
  read(): Settings {
    const values = Object.fromEntries(numbers.map((name) => [name, input(name).valueAsNumber])) as Record<(typeof numbers)[number], number>;
    return { ...values, lastOnly: this.lastOnly.value === "true" };
  }

  /** Marks the field that a message begins with. */
  mark(message: string): void {
    for (const name of numbers) input(name).setAttribute("aria-invalid", String(message.startsWith(`${labels[name]}:`)));
  }

  /**
   * Once training has begun, only the learning rate and the backend may change; while it runs, only the learning rate.
   */
  lock(begun: boolean, busy: boolean): void {
    for (const name of numbers) input(name).disabled = begun && name !== "learningRate";
    this.lastOnly.disabled = begun;
    for (const radio of radios("backend")) radio.disabled = busy;
  }
}
