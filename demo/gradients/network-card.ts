/** One network on the page: its matrix, the gradient at the chosen step, and its loss. */
import { make } from "../dom.ts";
import { LossHistory } from "../loss-history.ts";
import { HeatMap, type Place } from "./heat-map.ts";
import type { Network } from "./networks.ts";
import { fate, inWords, type Norms, type Shown } from "./norms.ts";

export class NetworkCard {
  readonly element: HTMLElement;
  history = new LossHistory();
  norms: Norms | undefined;
  private readonly canvas = make("canvas", "", "", { role: "img" });
  private readonly arrives = make("strong", "arrives");
  private readonly fate = make("span");
  private readonly loss = make("strong", "", "–");
  private readonly progress = make("span", "progress");
  private readonly map: HeatMap;

  constructor(
    private readonly network: Network,
    on: { hover: (place: Place | undefined) => void; choose: (place: Place) => void },
  ) {
    const { cell, title, about } = network;
    this.element = make(
      "article",
      "network",
      [
        make("h2", `key ${cell.toLowerCase()}`, [title, " ", make("small", "", about)]),
        make("div", "map", [
          this.canvas,
          make("p", "arrival", [this.arrives, this.fate]),
          make("span", "axis k", "k →", { "aria-hidden": "true" }),
          make("span", "axis t", "t ↓", { "aria-hidden": "true" }),
        ]),
        make("p", "loss", ["loss ", this.loss, this.progress]),
      ],
      { id: `network-${cell.toLowerCase()}` },
    );
    this.map = new HeatMap(this.canvas, on);
    this.canvas.setAttribute("aria-label", `${title}: nothing yet`);
  }

  show(shown: Shown, place: Place): void {
    const { norms } = this;
    if (!norms || place.t > norms.steps) return;
    const value = norms.at(place.t, place.k, shown);
    const share = norms.at(place.t, place.k, "share");
    const words = place.k === place.t ? "its own step" : fate(share);
    this.arrives.textContent = inWords(value);
    this.fate.textContent = words;
    this.element.dataset.fate = words;
    this.map.show(norms, shown, place);
    const what =
      shown === "share"
        ? `of the gradient at step ${place.t}, ${inWords(value)} arrives at step ${place.k}`
        : `the norm of the derivative of the error at step ${place.t} by the state of step ${place.k} is ${inWords(value)}`;
    this.canvas.setAttribute("aria-label", `${this.network.title}: ${what}${words ? ` (${words})` : ""}`);
  }

  clear(): void {
    this.history = new LossHistory();
    this.loss.textContent = "–";
    this.say("");
  }

  /** @param guessing the loss of predicting the mean */
  showLoss(guessing: number): void {
    const { latest } = this.history;
    if (Number.isNaN(latest)) return;
    this.loss.textContent = latest < 0.001 ? "below 0.001" : latest.toFixed(3);
    const share = latest / guessing;
    this.say(share < 0.1 ? "has learnt it" : share < 0.8 ? "is learning" : share < 1.5 ? "no better than guessing" : "worse than guessing");
  }

  fail(): void {
    this.loss.textContent = "∞";
    this.say("no number any more");
  }

  private say(words: string): void {
    this.progress.textContent = words;
    this.element.dataset.progress = words;
  }
}
