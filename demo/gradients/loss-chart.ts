/** The loss curves of all networks in one picture. */
import type uPlot from "uplot";
import { block, make } from "../dom.ts";
import { Plot } from "../plot.ts";
import type { NetworkCard } from "./network-card.ts";
import { networks } from "./networks.ts";

export class LossChart {
  /** The loss of guessing, drawn as a line across. */
  private guessing = NaN;
  private readonly plot: Plot;

  constructor(private readonly cards: readonly NetworkCard[]) {
    this.plot = new Plot(block("chart"), {
      lines: [{ colour: "--faint", width: 1, dash: [2, 4] }, ...networks.map(({ line }) => line)],
      data: () => this.data(),
      label: () => `Loss curves: ${this.inWords(undefined)}`,
      pointed: (index) => (block("readout").textContent = index !== null && index < this.steps.length ? this.inWords(index) : ""),
      range: () => [0, 2 * (this.guessing || 0.15)],
      heights: [200, 200],
    });
    block("keys").append(
      "Loss, smoothed: ",
      ...networks.flatMap(({ cell, title }) => [make("span", `key ${cell.toLowerCase()}`, title), " "]),
      make("span", "key guessing", "guessing the mean"),
    );
  }

  draw(guessing: number): void {
    this.guessing = guessing;
    this.plot.draw();
  }

  private get steps(): readonly number[] {
    return this.cards[0].history.steps;
  }

  private data(): uPlot.AlignedData {
    const steps = [...this.steps];
    return [
      steps,
      steps.map(() => this.guessing),
      ...this.cards.map(({ history }) => history.smooth.map((loss) => (Number.isNaN(loss) ? null : loss))),
    ];
  }

  /** The losses at a place of the curves, or at their end. */
  private inWords(index: number | undefined): string {
    const at = index ?? this.steps.length - 1;
    if (at < 0) return "nothing yet";
    return `step ${this.steps[at]}: ${this.cards.map(({ history }, n) => `${networks[n].title} ${Number.isNaN(history.smooth[at]) ? "no number" : history.smooth[at].toFixed(3)}`).join(", ")}`;
  }
}
