/** The form: what to measure, in the words of a plan. */
import { defaultShapes, shapeName, type Cell, type Mode } from "./cases.ts";
import { block, choice, field, make } from "./dom.ts";
import type { LibraryInfo } from "./messages.ts";
import type { PlanOptions } from "./plan.ts";
import { modeNotes, sizeName } from "./words.ts";

const sizes = ["steps", "batch", "input", "hidden"] as const;
const own = "own";

export class Form {
  private unwanted = new Set<string>();

  constructor() {
    const options = [...defaultShapes.map((shape) => [shapeName(shape), sizeName(shape)]), [own, "My own"]];
    choice("shape").replaceChildren(...options.map(([value, text]) => {
      const option = make("option", text);
      option.value = value;
      return option;
    }));
    choice("shape").value = shapeName(defaultShapes[0]);
    choice("shape").addEventListener("change", () => this.fillSizes());
    for (const size of sizes) field(size).addEventListener("input", () => this.nameSize());
    choice("mode").addEventListener("change", () => this.explain());
    block("settings").addEventListener("change", () => this.explain());
    this.fillSizes();
    this.explain();
  }

  /** Offers these libraries; what a visitor has unticked before stays so. */
  offer(libraries: readonly LibraryInfo[]): void {
    block("libraries").replaceChildren(...libraries.map(({ name, backend, version }) => {
      const key = `${name} ${backend}`;
      const box = make("input");
      box.type = "checkbox";
      box.value = key;
      box.checked = !this.unwanted.has(key);
      box.addEventListener("change", () => (box.checked ? this.unwanted.delete(key) : this.unwanted.add(key)));
      return make("label", [box, make("span", key), make("small", version ?? "")], "check");
    }));
  }

  /** The chosen case as a plan. @throws Error in words if there is nothing to run */
  plan(): PlanOptions {
    const values = sizes.map((size) => field(size).valueAsNumber);
    sizes.forEach((size, i) => {
      if (!Number.isInteger(values[i]) || values[i] < 1 || values[i] > 8192) throw new Error(`${size} must be a whole number from 1 to 8192`);
    });
    return { only: this.only(), shapes: [values.join("x")], cells: [this.cell], modes: [choice("mode").value] };
  }

  /** Every case, for the chosen libraries. */
  planAll(): PlanOptions {
    return { only: this.only() };
  }

  private get cell(): Cell {
    const chosen = document.querySelector<HTMLInputElement>('input[name="cell"]:checked')!.value as Cell;
    return chosen === "gru" && field("before").checked ? "gru-reset-before" : chosen;
  }

  private only(): string {
    const boxes = [...block("libraries").querySelectorAll("input")];
    const wanted = boxes.filter((box) => box.checked).map((box) => box.value.replaceAll(".", "\\."));
    if (wanted.length === 0) throw new Error("choose at least one library to measure");
    return `^(${wanted.join("|")}) `;
  }

  private fillSizes(): void {
    const shape = defaultShapes.find((one) => shapeName(one) === choice("shape").value);
    if (shape) for (const size of sizes) field(size).value = String(shape[size]);
  }

  private nameSize(): void {
    const name = sizes.map((size) => field(size).value).join("x");
    choice("shape").value = defaultShapes.some((one) => shapeName(one) === name) ? name : own;
  }

  private explain(): void {
    block("mode-note").textContent = modeNotes[choice("mode").value as Mode];
    field("before").disabled = !document.querySelector<HTMLInputElement>('input[name="cell"][value="gru"]')!.checked;
  }
}
