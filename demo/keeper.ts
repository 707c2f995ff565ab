/** Saves the training in this browser while it runs, tells the visitor, and offers the saved one after a reload. */
import { Autosave, type Offer, type Training } from "./autosave.ts";
import { block, count } from "./dom.ts";
import type { Notices } from "./notices.ts";

const topic = "offer";

export class Keeper {
  private readonly autosave: Promise<Autosave | undefined>;
  private readonly note = block("kept");

  /** @param goOn continues an offered training */
  constructor(
    private readonly notices: Notices,
    private readonly goOn: (offer: Offer, kept: Pick<Training, "file" | "text">) => void,
  ) {
    this.autosave = Autosave.open().catch((error: unknown) => this.fail(error));
  }

  /** Offers the training that was left, if the visitor has not begun another meanwhile. */
  async offer(isWanted: () => boolean): Promise<void> {
    const autosave = await this.autosave;
    const offer = await autosave?.offer().catch((error: unknown) => this.fail(error));
    if (!autosave || !offer || !isWanted()) return;
    this.notices.show(
      "info",
      "Your last training is kept here",
      `${offer.about}, ${count(offer.step)} ${offer.step === 1 ? "step" : "steps"}, kept in this browser ${ago(offer.savedAt)}.`,
      [
        { label: "Continue where you left off", go: () => void this.accept(offer) },
        { label: "Discard it", go: () => void autosave.discard(offer.id).catch((error: unknown) => this.fail(error)) },
      ],
      topic,
    );
  }

  /** Called when another training begins, or the offered one continues. */
  begin(offer?: Offer): void {
    this.notices.clear(topic);
    this.note.textContent = "";
    void this.autosave.then((autosave) => autosave?.begin(offer)).catch((error: unknown) => this.fail(error));
  }

  save(training: Training): void {
    void this.autosave
      .then(async (autosave) => {
        if (!autosave) return;
        await autosave.save(training);
        this.note.textContent = `Kept in this browser up to step ${count(training.step)}: a reload offers to go on from there.`;
      })
      .catch((error: unknown) => this.fail(error));
  }

  private async accept(offer: Offer): Promise<void> {
    try {
      this.goOn(offer, await offer.load());
    } catch (error) {
      this.notices.show("problem", "The training cannot be read", `It was kept in this browser, but ${(error as Error).message}.`);
    }
  }

  private fail(error: unknown): undefined {
    this.note.textContent = `Not kept in this browser: ${error instanceof Error ? error.message : String(error)}. Download a checkpoint to keep the training.`;
  }
}

/** How long ago in words. */
function ago(time: number): string {
  const minutes = Math.round((Date.now() - time) / 60_000);
  const words = new Intl.RelativeTimeFormat("en", { numeric: "always" });
  if (minutes < 1) return "a moment ago";
  if (minutes < 60) return words.format(-minutes, "minute");
  return minutes < 60 * 24 ? words.format(-Math.round(minutes / 60), "hour") : words.format(-Math.round(minutes / 1440), "day");
}
