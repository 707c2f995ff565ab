/** Messages above the curve, with ways on. */
import { block, make, makeButton } from "./dom.ts";

export interface Way {
  readonly label: string;
  readonly go: () => void;
}

export class Notices {
  private readonly place = block("notices");

  /** Replaces what was shown before. */
  show(tone: "problem" | "info", title: string, message: string, ways: readonly Way[] = []): void {
    const close = makeButton("×", () => this.clear(), "close");
    close.setAttribute("aria-label", "Dismiss");
    const buttons = ways.map(({ label, go }) => makeButton(label, () => {
      this.clear();
      go();
    }));
    this.place.replaceChildren(make("div", `notice ${tone}`, [
      make("strong", "", title), make("p", "", message), ...(buttons.length > 0 ? [make("div", "bar", buttons)] : []), close,
    ]));
  }

  clear(): void {
    this.place.replaceChildren();
  }
}
