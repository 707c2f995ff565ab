/** Shows the samples: the latest one in full, earlier ones as a record of progress. */
import { block, button, byId, count, input, make, say } from "./dom.ts";
import type { Reply, Sampling } from "./messages.ts";
import { checkSampling } from "./settings.ts";

type Piece = Extract<Reply, { kind: "sample" }>;

/** Samples kept on the page. */
const most = 40;

export class Samples {
  private readonly list = block("samples");
  private readonly problem = block("sample-problem");
  /** True if the visitor has chosen a beginning. */
  private touched = false;
  private current: { id: number; text: HTMLElement; article: HTMLElement } | undefined;

  constructor(on: { change: (sampling: Sampling) => void; ask: (sampling: Sampling) => void }) {
    for (const id of ["prompt", "temperature", "length"]) {
      input(id).addEventListener("input", () => {
        this.showTemperature();
        if (this.isRight()) on.change(this.sampling);
      });
    }
    input("prompt").addEventListener("input", () => (this.touched = true));
    button("sample").addEventListener("click", () => {
      if (this.isRight()) on.ask(this.sampling);
    });
  }

  get sampling(): Sampling {
    return { prompt: input("prompt").value, temperature: input("temperature").valueAsNumber, length: input("length").valueAsNumber };
  }

  /** Shows the settings of an address. */
  write({ prompt, temperature, length }: Partial<Sampling>): void {
    if (prompt !== undefined) input("prompt").value = prompt;
    if (temperature !== undefined) input("temperature").value = String(temperature);
    if (length !== undefined) input("length").value = String(length);
    this.touched ||= prompt !== undefined;
    this.showTemperature();
  }

  /** A beginning that suits the text, unless the visitor has chosen one. */
  suggest(text: string): void {
    if (this.touched) return;
    const begins = text.includes("The ") ? "The " : /\S{1,20}\s?/.exec(text.slice(0, 1000))?.[0];
    if (begins !== undefined) input("prompt").value = begins;
  }

  complain(problem: string): void {
    say(this.problem, problem);
    input("length").setAttribute("aria-invalid", String(problem.startsWith("Characters:")));
  }

  /** Says what is wrong, if something is. */
  private isRight(): boolean {
    try {
      checkSampling(this.sampling);
      this.complain("");
      return true;
    } catch (error) {
      this.complain((error as Error).message);
      return false;
    }
  }

  private showTemperature(): void {
    byId("temperature-value", HTMLOutputElement).value = this.sampling.temperature.toFixed(2).replace(/0$/, "");
  }

  clear(): void {
    this.list.replaceChildren();
    this.current = undefined;
    this.complain("");
  }

  add(piece: Piece): void {
    if (this.current?.id !== piece.id) this.begin(piece);
    this.current!.text.append(piece.piece);
    if (!piece.done) return;
    this.current!.article.classList.remove("writing-now");
    // A message about the fields stays.
    if (this.isRight() && piece.leftOut !== "")
      this.complain(`Left out of the beginning, because the text has no ${Array.from(piece.leftOut, (c) => `“${c}”`).join(", ")}.`);
  }

  private begin({ id, step, loss, prompt, temperature }: Piece): void {
    if (!this.current) this.list.replaceChildren();
    const about = [`step ${count(step)}`, ...(loss === null ? [] : [`loss ${loss.toFixed(2)}`]), `temperature ${temperature}`].join(" · ");
    const text = make("span");
    const article = make("article", "sample writing-now", [make("h3", "", about), make("p", "", [make("span", "given", prompt), text])]);
    this.list.prepend(article);
    while (this.list.children.length > most) this.list.lastElementChild!.remove();
    this.current = { id, text, article };
  }
}
