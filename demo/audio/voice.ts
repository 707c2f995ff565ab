/** What a voice detector says, drawn over time. */
import { block } from "../dom.ts";
import { Plot } from "../plot.ts";
import type { Form } from "./messages.ts";

/** Frames that are shown, the latest ones. */
const shown = 400;

export class Voice {
  private probabilities: number[] = [];
  private plot: Plot | undefined;

  /** Begins anew, for a model of this form. */
  begin({ gives }: Form): void {
    this.probabilities = [];
    for (const id of ["voice", "speech-tile"]) block(id).hidden = gives !== "voice";
    block("speech").textContent = "–";
    if (gives === "voice") this.draw();
  }

  add(probability: number): void {
    this.probabilities = [...this.probabilities, probability].slice(-shown);
    block("speech").textContent = this.percent(probability);
    this.draw();
  }

  private percent = (probability: number): string => `${Math.round(100 * probability)} %`;

  private draw(): void {
    this.plot ??= new Plot(block("voice-chart"), {
      lines: [{ colour: "--accent", width: 2 }],
      unit: "frame",
      data: () => [Array.from(this.probabilities, (_, i) => i + 1), this.probabilities],
      label: () => this.label(),
      range: () => [0, 1],
      heights: [160, 140],
      pointed: (i) => (block("voice-readout").textContent = i === null ? "" : `frame ${i + 1}: ${this.percent(this.probabilities[i])}`),
    });
    this.plot.draw();
  }

  private label(): string {
    const { probabilities } = this;
    if (probabilities.length === 0) return "Nothing yet";
    return `Speech in ${probabilities.length} frames: at most ${this.percent(Math.max(...probabilities))}`;
  }
}
