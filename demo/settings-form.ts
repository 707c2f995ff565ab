/** The form with the settings: presets, reading, locking. */
import { byId, choose, chosen, input, radios } from "./dom.ts";
import type { BackendChoice, Cell, Settings } from "./messages.ts";
import type { Shared } from "./address.ts";
import { checkLearningRate, labels, presets, type PresetName } from "./settings.ts";

const numbers = ["embedding", "hidden", "layers", "batch", "window", "learningRate", "seed"] as const;

export class SettingsForm {
  private readonly preset = byId("preset", HTMLSelectElement);
  /** True if the visitor has chosen sizes; until then they follow the device. */
  private touched = false;

  /** @param on.complain shows the error of a value; on.change: called when a setting has changed */
  constructor(on: {
    backend: (choice: BackendChoice) => void;
    learningRate: (value: number) => void;
    complain: (message: string) => void;
    change: () => void;
  }) {
    this.preset.addEventListener("change", () => {
      this.touched = true;
      if (this.preset.value !== "custom") this.fill(this.preset.value as PresetName);
    });
    for (const name of numbers) {
      input(name).addEventListener("input", () => {
        if (name === "seed" || name === "learningRate") return;
        this.touched = true;
        this.preset.value = "custom";
      });
    }
    input("learningRate").addEventListener("change", () => {
      const { learningRate } = this.read();
      try {
        checkLearningRate(learningRate);
        this.mark("");
        on.learningRate(learningRate);
      } catch (error) {
        this.mark((error as Error).message);
        on.complain((error as Error).message);
      }
    });
    for (const radio of radios("backend")) radio.addEventListener("change", () => on.backend(this.backend));
    const form = byId("settings", HTMLFormElement);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("change", () => on.change());
    this.fill("small");
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
    return { cell: chosen("cell") as Cell, ...values };
  }

  /** Marks the field that a message of the library or of this page begins with. */
  mark(message: string): void {
    for (const name of numbers) input(name).setAttribute("aria-invalid", String(message.startsWith(`${labels[name]}:`)));
  }

  /** Shows the settings of a model, or those of an address. */
  write({ backend, cell, ...rest }: Partial<Shared>): void {
    for (const name of numbers) if (rest[name] !== undefined) input(name).value = String(rest[name]);
    if (cell) choose("cell", cell);
    if (backend) this.backend = backend;
    const settings = this.read();
    const same = Object.entries(presets).find(([, preset]) =>
      (Object.keys(preset) as (keyof typeof preset)[]).every((key) => preset[key] === settings[key]),
    );
    this.preset.value = same?.[0] ?? "custom";
    this.touched ||= numbers.some((name) => name !== "seed" && rest[name] !== undefined);
  }

  /** Sizes that suit a device, unless the visitor has chosen already. */
  suggest(name: PresetName): void {
    if (!this.touched) this.fill(name);
  }

  /** While a model trains only its learning rate may change. */
  lock(locked: boolean): void {
    this.preset.disabled = locked;
    for (const name of numbers) input(name).disabled = locked && name !== "learningRate";
    for (const radio of radios("cell")) radio.disabled = locked;
  }

  lockBackend(locked: boolean): void {
    for (const radio of radios("backend")) radio.disabled = locked;
  }

  private fill(name: PresetName): void {
    this.preset.value = name;
    for (const [key, value] of Object.entries(presets[name])) input(key).value = String(value);
  }
}
