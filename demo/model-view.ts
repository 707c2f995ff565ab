/** Shows the present model: its name, the tiles with its numbers, and whether its loss diverges. */
import { block, compact, count } from "./dom.ts";
import type { ModelInfo, Settings } from "./messages.ts";

/** Network and text in words. */
export function inWords({ cell, hidden, layers }: Pick<Settings, "cell" | "hidden" | "layers">, textName: string): string {
  return `${layers > 1 ? `${layers} layers of ` : ""}${cell.toUpperCase()} ${hidden} on “${textName}”`;
}

/**
 * Finds out whether a training diverges. Guessing each of V characters alike has the loss ln V, and every training
 * starts there. Only too large a learning rate leads far above it.
 */
export class Divergence {
  isOn = false;
  /** Loss of guessing. */
  readonly guessing: number;

  constructor(vocabulary: number) {
    this.guessing = Math.log(vocabulary);
  }

  /** @param loss the smoothed loss, because single steps may be far off */
  begins(loss: number): boolean {
    const begins = !this.isOn && loss > 1.5 * this.guessing + 0.5;
    this.isOn ||= begins;
    return begins;
  }

  ends(loss: number): boolean {
    const ends = this.isOn && loss <= this.guessing;
    this.isOn &&= !ends;
    return ends;
  }
}

export class ModelView {
  /** The present model. */
  show(model: ModelInfo | undefined): void {
    block("about").textContent = model ? inWords(model.settings, model.textName) : "No network yet";
    block("parameters").textContent = model ? compact(model.parameters) : "–";
    block("step").textContent = model ? count(model.step) : "–";
  }

  /** Its loss is not known yet. */
  clear(): void {
    for (const id of ["loss", "bits", "speed"]) block(id).textContent = "–";
  }

  showLoss(loss: number): void {
    block("loss").textContent = Number.isFinite(loss) ? loss.toFixed(3) : "–";
    block("bits").textContent = Number.isFinite(loss) ? (loss / Math.LN2).toFixed(3) : "–";
  }

  showStep(step: number, charactersPerSecond: number): void {
    block("step").textContent = count(step);
    if (charactersPerSecond > 0) block("speed").textContent = compact(charactersPerSecond);
  }
}
