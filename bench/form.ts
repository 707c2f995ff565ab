/** The form: what to measure, in the words of a plan. */
import { allCases, cells, defaultShapes, defaultStreams, shapeName, type Case, type Cell, type Mode, type Shape } from "./cases.ts";
import { inWords } from "./amounts.mjs";
import { guessSeconds, preparation } from "./estimate.ts";
import { defaultEffort } from "./measure.ts";
import { block, byId, input, make } from "../demo/dom.ts";
import type { LibraryInfo } from "./messages.ts";
import type { PlanOptions } from "./plan.ts";
import { modeNotes, sizeName } from "./words.ts";

const sizes = ["steps", "batch", "input", "hidden", "layers"] as const;
/** As the page calls them. */
const labels = { steps: "Steps", batch: "Batch", input: "Input size", hidden: "Hidden size", layers: "Layers" } as const;
const choice = (id: string): HTMLSelectElement => byId(id, HTMLSelectElement);
const [own, all] = ["own", "all"];
const keyOf = ({ name, backend }: LibraryInfo): string => `${name} ${backend}`;

export class Form {
  private libraries: readonly LibraryInfo[] = [];
  private readonly unwanted = new Set<string>();
  /** This package's backends that have been prepared in this visit. */
  private readonly prepared = new Set<string>();
  private software = false;
  /** The usual sizes of the chosen work. */
  private shapes: readonly Shape[] = [];

  constructor() {
    choice("shape").addEventListener("change", () => this.fillSizes());
    for (const size of sizes) input(size).addEventListener("input", () => this.nameSize());
    choice("mode").addEventListener("change", () => this.offerMode());
    block("settings").addEventListener("change", () => this.explain());
    this.offerMode();
  }

  /** Offers these libraries; what a visitor has unticked before stays so. */
  offer(libraries: readonly LibraryInfo[], software: boolean): void {
    this.libraries = libraries;
    this.software = software;
    this.offerLibraries();
    this.explain();
  }

  private offerLibraries(): void {
    block("libraries").replaceChildren(
      ...this.librariesFor(this.mode).map((library) => {
        const key = keyOf(library);
        const box = make("input", "", "", { type: "checkbox", value: key });
        box.checked = !this.unwanted.has(key);
        box.addEventListener("change", () => (box.checked ? this.unwanted.delete(key) : this.unwanted.add(key)));
        return make("label", "check", [box, make("span", "", key), make("small", "", library.version ?? "")]);
      }),
    );
  }

  /** What can be chosen for this work. Sizes stay as they are between kinds of work that have the same. */
  private offerMode(): void {
    const isStream = this.mode === "stream";
    block("layers-label").hidden = !isStream;
    const shapes = isStream ? defaultStreams : defaultShapes;
    if (this.shapes !== shapes) {
      this.shapes = shapes;
      const options = [...this.shapes.map((shape) => [shapeName(shape), sizeName(shape)]), [all, "All of these"], [own, "My own"]];
      choice("shape").replaceChildren(...options.map(([value, text]) => make("option", "", text, { value })));
      choice("shape").value = shapeName(this.shapes[0]);
      this.fillSizes();
    }
    this.offerLibraries();
    this.explain();
  }

  /** A backend of this package has been prepared, which takes its time once. */
  isPrepared(backend: string): void {
    this.prepared.add(`webgpu-rnn ${backend}`);
    this.explain();
  }

  /** The chosen case as a plan. @throws Error in words if there is nothing to run */
  plan(): PlanOptions {
    const { mode } = this;
    const chosen = { only: this.only(mode), cells: [this.cell], modes: [mode] };
    if (choice("shape").value === all) return { ...chosen, shapes: this.shapes.map(shapeName) };
    const asked = sizes.slice(0, mode === "stream" ? 5 : 4);
    const values = asked.map((size) => input(size).valueAsNumber);
    asked.forEach((size, i) => {
      const fits = Number.isInteger(values[i]) && values[i] >= 1 && values[i] <= 8192;
      input(size).setAttribute("aria-invalid", String(!fits));
      if (!fits) throw new Error(`${labels[size]}: must be a whole number from 1 to 8192, got ${input(size).value || "nothing"}`);
    });
    return { ...chosen, shapes: [values.join("x")] };
  }

  /** Every case, for the chosen libraries. */
  planAll(): PlanOptions {
    return { only: this.only() };
  }

  private get cell(): Cell {
    const chosen = document.querySelector<HTMLInputElement>('input[name="cell"]:checked')!.value as Cell;
    return chosen === "gru" && input("before").checked ? "gru-reset-before" : chosen;
  }

  private get mode(): Mode {
    return choice("mode").value as Mode;
  }

  private librariesFor(mode: Mode): LibraryInfo[] {
    return this.libraries.filter(({ modes }) => modes?.includes(mode) ?? true);
  }

  private wanted(mode: Mode): LibraryInfo[] {
    return this.librariesFor(mode).filter((library) => !this.unwanted.has(keyOf(library)));
  }

  /** @param mode if the visitor has chosen one */
  private only(mode?: Mode): string {
    const wanted = mode ? this.wanted(mode) : this.libraries.filter((library) => !this.unwanted.has(keyOf(library)));
    if (wanted.length === 0) throw new Error("choose at least one library to measure");
    // The cells, because a library's name can be the beginning of another's.
    return `^(${wanted.map((library) => keyOf(library).replaceAll(".", "\\.")).join("|")}) (${cells.join("|")}) `;
  }

  private fillSizes(): void {
    const isAll = choice("shape").value === all;
    const shape = this.shapes.find((one) => shapeName(one) === choice("shape").value);
    for (const size of sizes) {
      input(size).disabled = isAll;
      if (shape) input(size).value = String(shape[size] ?? 1);
    }
  }

  private nameSize(): void {
    const [steps, batch, wide, hidden, layers] = sizes.map((size) => input(size).valueAsNumber);
    const name = shapeName({ steps, batch, input: wide, hidden, layers });
    choice("shape").value = this.shapes.some((one) => shapeName(one) === name) ? name : own;
  }

  private explain(): void {
    const { mode } = this;
    block("mode-note").textContent = modeNotes[mode];
    const first =
      preparation *
      this.wanted(mode).filter(
        (library) => !library.modes && keyOf(library).startsWith("webgpu-rnn ") && !this.prepared.has(keyOf(library)),
      ).length;
    const seconds = (cases: readonly Pick<Case, "mode">[]): number =>
      cases.reduce((sum, of) => sum + this.wanted(of.mode).length * guessSeconds(defaultEffort, of.mode, this.software), first);
    const chosen = choice("shape").value === all ? this.shapes.map(() => ({ mode })) : [{ mode }];
    block("takes").textContent =
      this.wanted(mode).length > 0
        ? `Run takes ${inWords(seconds(chosen))}, Run all ${inWords(seconds(allCases()))}; longer on slow devices. Rows appear as they are measured.`
        : "";
    input("before").disabled = !document.querySelector<HTMLInputElement>('input[name="cell"][value="gru"]')!.checked;
  }
}
