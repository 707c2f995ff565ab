/** The visitor's view: the steps t and k, and whether norms are shown as shares. */
import { block, byId, input, make, chosen, radios } from "../dom.ts";
import { gradient, highest, lowest, place as placeOnScale } from "./colour-scale.ts";
import type { Place } from "./heat-map.ts";
import { power, type Shown } from "./norms.ts";

export class Look {
  private hovered: Place | undefined;

  constructor(private readonly changed: (shown: Shown, place: Place) => void) {
    for (const id of ["t", "k"]) {
      input(id).addEventListener("input", () => {
        const [t, k] = [input("t").valueAsNumber, input("k").valueAsNumber];
        // The slider that was moved stays; k cannot be later than t.
        this.choose(id === "t" ? { t, k: Math.min(k, t) } : { t: Math.max(t, k), k });
      });
    }
    for (const radio of radios("shown")) radio.addEventListener("change", () => this.update());
    block("colours").style.background = gradient;
    this.update();
  }

  get shown(): Shown {
    return chosen("shown") as Shown;
  }

  get place(): Place {
    return this.hovered ?? { t: input("t").valueAsNumber, k: input("k").valueAsNumber };
  }

  hover(place: Place | undefined): void {
    this.hovered = place;
    this.update();
  }

  choose({ t, k }: Place): void {
    this.hovered = undefined;
    input("t").value = String(t);
    input("k").value = String(k);
    this.update();
  }

  /** For sequences of this length: the longest way back. */
  set steps(steps: number) {
    if (input("t").max === String(steps)) return;
    for (const id of ["t", "k"]) input(id).max = String(steps);
    this.choose({ t: steps, k: 1 });
  }

  private update(): void {
    const { t, k } = this.place;
    byId("t-value", HTMLOutputElement).value = String(t);
    byId("k-value", HTMLOutputElement).value = String(k);
    block("t-said").textContent = String(t);
    block("k-said").textContent = String(k);
    const ticks = Array.from({ length: highest - lowest + 1 }, (_, i) => lowest + i).filter(
      (decade) => decade % 2 === 0 || decade === highest,
    );
    const words = (decade: number): string =>
      decade === lowest ? "vanished" : decade === highest ? "exploded" : decade === 0 && this.shown === "share" ? "all of it" : "";
    block("ticks").replaceChildren(
      ...ticks.map((decade) => {
        const tick = make("span", "", [make("b", "", decade === 0 ? "1" : power(decade)), words(decade)]);
        // Not as an attribute, which the pages' content security policy forbids.
        tick.style.left = `${placeOnScale(decade)}%`;
        return tick;
      }),
    );
    this.changed(this.shown, this.place);
  }
}
