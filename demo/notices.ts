/** Messages above the curve, with ways on. */
import { block, make, makeButton } from "./dom.ts";

export interface Way {
  readonly label: string;
  readonly go: () => void;
}

export class Notices {
  private readonly place: HTMLElement;
  /** The topic of the present message, to remove it when the topic is over. */
  private topic = "";

  constructor(id = "notices") {
    this.place = block(id);
  }

  /** Replaces the present message, and scrolls it into view. */
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
    // The button that caused it may be far below.
    const { top, bottom } = shown.getBoundingClientRect();
    if (top < 0 || bottom > innerHeight) shown.scrollIntoView({ block: "nearest" });
  }

  /** @param topic removes only a message about this (default: any) */
  clear(topic = this.topic): void {
    if (topic !== this.topic) return;
    this.place.replaceChildren();
    this.topic = "";
  }

  /** The pressed button disappears with its message, so keyboard focus moves to the buttons beside it. */
  private leave(go: () => void): void {
    this.clear();
    go();
    if (document.activeElement === document.body)
      this.place.closest("section")?.querySelector<HTMLElement>("button:not([hidden])")?.focus({ preventScroll: true });
  }
}
