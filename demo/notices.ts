/** Messages above the curve, with ways on. */
import { block, make, makeButton } from "./dom.ts";

export interface Way {
  readonly label: string;
  readonly go: () => void;
}

export class Notices {
  private readonly place: HTMLElement;
  /** What the present message is about, for taking it back when that is over. */
  private topic = "";

  constructor(id = "notices") {
    this.place = block(id);
  }

  /** Replaces what was shown before, and brings it into view. */
  show(tone: "problem" | "info", title: string, message: string, ways: readonly Way[] = [], topic = ""): void {
    const close = makeButton("×", () => this.leave(() => undefined), "close");
    close.setAttribute("aria-label", "Dismiss");
    const buttons = ways.map(({ label, go }) => makeButton(label, () => this.leave(go)));
    const shown = make("div", `notice ${tone}`, [
      make("strong", "", title),
      make("p", "", message),
      ...(buttons.length > 0 ? [make("div", "bar", buttons)] : []),
      close,
    ]);
    this.topic = topic;
    this.place.replaceChildren(shown);
    // What it answers may have been asked for far below.
    const { top, bottom } = shown.getBoundingClientRect();
    if (top < 0 || bottom > innerHeight) shown.scrollIntoView({ block: "nearest" });
  }

  /** @param topic only a message about this; by default any */
  clear(topic = this.topic): void {
    if (topic !== this.topic) return;
    this.place.replaceChildren();
    this.topic = "";
  }

  /** The button that was pressed goes with its message; who uses the keyboard goes on at the buttons beside it. */
  private leave(go: () => void): void {
    this.clear();
    go();
    if (document.activeElement === document.body)
      this.place.closest("section")?.querySelector<HTMLElement>("button:not([hidden])")?.focus({ preventScroll: true });
  }
}
