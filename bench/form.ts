/** The form: what to measure, in the words of a plan. */
import { allCases, defaultShapes, shapeName, type Case, type Cell, type Mode } from "./cases.ts";
import { inWords } from "./duration.mjs";
import { guessSeconds, preparation } from "./estimate.ts";
import { defaultEffort } from "./measure.ts";
import { block, byId, input, make } from "../demo/dom.ts";
import type { LibraryInfo } from "./messages.ts";
import type { PlanOptions } from "./plan.ts";
import { modeNotes, sizeName } from "./words.ts";

const sizes = ["steps", "batch", "input", "hidden"] as const;
/** As the page calls them. */
const labels = { steps: "Steps", batch: "Batch", input: "Input size", hidden: "Hidden size" } as const;
const choice = (id: string): HTMLSelectElement => byId(id, HTMLSelectElement);
const own = "own";

export class Form {
  private unwanted = new Set<string>();
  /** This package's backends that have been prepared in this visit. */
  private readonly prepared = new Set<string>();
  private software = false;

  constructor() {
    const options = [...defaultShapes.map((shape) => [shapeName(shape), sizeName(shape)]), [own, "My own"]];
    choice("shape").replaceChildren(...options.map(([value, text]) => make("option", "", text, { value })));
    choice("shape").value = shapeName(defaultShapes[0]);
    choice("shape").addEventListener("change", () => this.fillSizes());
    for (const size of sizes) input(size).addEventListener("input", () => this.nameSize());
    choice("mode").addEventListener("change", () => this.explain());
    block("settings").addEventListener("change", () => this.explain());
    this.fillSizes();
    this.explain();
  }

  /** Offers these libraries; what a visitor has unticked before stays so. */
  offer(libraries: readonly LibraryInfo[], software: boolean): void {
    this.software = software;
    block("libraries").replaceChildren(
      ...libraries.map(({ name, backend, version }) => {
        const key = `${name} ${backend}`;
        const box = make("input", "", "", { type: "checkbox", value: key });
        box.checked = !this.unwanted.has(key);
        box.addEventListener("change", () => (box.checked ? this.unwanted.delete(key) : this.unwanted.add(key)));
        return make("label", "check", [box, make("span", "", key), make("small", "", version ?? "")]);
      }),
    );
    this.explain();
  }

  /** A backend of this package has been prepared, which takes its time once. */
  isPrepared(backend: string): void {
    this.prepared.add(`webgpu-rnn ${backend}`);
    this.explain();
  }

  /** The chosen case as a plan. @throws Error in words if there is nothing to run */
  plan(): PlanOptions {
    const values = sizes.map((size) => input(size).valueAsNumber);
    sizes.forEach((size, i) => {
      const fits = Number.isInteger(values[i]) && values[i] >= 1 && values[i] <= 8192;
      input(size).setAttribute("aria-invalid", String(!fits));
      if (!fits) throw new Error(`${labels[size]}: must be a whole number from 1 to 8192, got ${input(size).value || "nothing"}`);
    });
    return { only: this.only(), shapes: [values.join("x")], cells: [this.cell], modes: [choice("mode").value] };
  }

  /** Every case, for the chosen libraries. */
  planAll(): PlanOptions {
    return { only: this.only() };
  }

  private get cell(): Cell {
    const chosen = document.querySelector<HTMLInputElement>('input[name="cell"]:checked')!.value as Cell;
    return chosen === "gru" && input("before").checked ? "gru-reset-before" : chosen;
  }

  private get wanted(): string[] {
    return [...block("libraries").querySelectorAll("input")].filter((box) => box.checked).map((box) => box.value);
  }

  private only(): string {
    const wanted = this.wanted.map((key) => key.replaceAll(".", "\\."));
    if (wanted.length === 0) throw new Error("choose at least one library to measure");
    return `^(${wanted.join("|")}) `;
  }

  private fillSizes(): void {
    const shape = defaultShapes.find((one) => shapeName(one) === choice("shape").value);
    if (shape) for (const size of sizes) input(size).value = String(shape[size]);
  }

  private nameSize(): void {
    const name = sizes.map((size) => input(size).value).join("x");
    choice("shape").value = defaultShapes.some((one) => shapeName(one) === name) ? name : own;
  }

  private explain(): void {
    const mode = choice("mode").value as Mode;
    block("mode-note").textContent = modeNotes[mode];
    const first = preparation * this.wanted.filter((key) => key.startsWith("webgpu-rnn ") && !this.prepared.has(key)).length;
    const seconds = (cases: readonly Pick<Case, "mode">[]): number =>
      cases.reduce((sum, of) => sum + this.wanted.length * guessSeconds(defaultEffort, of.mode, this.software), first);
    block("takes").textContent =
      this.wanted.length > 0
        ? `Run takes ${inWords(seconds([{ mode }]))}, Run all ${inWords(seconds(allCases()))}; longer on slow devices. Rows appear as they are measured.`
        : "";
    input("before").disabled = !document.querySelector<HTMLInputElement>('input[name="cell"][value="gru"]')!.checked;
  }
}
