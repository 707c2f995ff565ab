/** The results of a run on the page: a curve, a table, a text. */
import { block, count, make, say } from "../dom.ts";
import { Plot } from "../plot.ts";
import type { CompareReport, RunReport } from "./messages.ts";

const colours = ["--line-1", "--line-2", "--line-3", "--line-4"];

const number = (value: number): string =>
  Number.isFinite(value) ? Number(value.toPrecision(4)).toLocaleString("en", { maximumSignificantDigits: 4 }) : String(value);

export class ResultCard {
  private report: RunReport | undefined;
  private plot: Plot | undefined;

  show(report: RunReport): void {
    this.report = report;
    const { on, calls, milliseconds, results, continuation } = report;
    say(block("run-note"), `${on}: ${number(milliseconds)} ms${calls > 1 ? `, ${count(calls)} calls` : ""}`);
    say(block("verdict"), "");
    block("results").replaceChildren(
      ...results.map(({ name, sizes, least, mean, most }) =>
        make("tr", "", [
          make("th", "", name, { scope: "row" }),
          ...[sizes, number(least), number(mean), number(most)].map((cell) => make("td", "", cell)),
        ]),
      ),
    );
    block("results-scroll").hidden = false;
    say(block("continuation"), continuation ?? "");
    this.draw();
  }

  compared({ agrees, backends, count: compared, worst, where }: CompareReport): void {
    const verdict = agrees ? "Both agree" : "They differ";
    const place = worst === 0 ? "" : `, in ${where}`;
    block("verdict").dataset.agrees = String(agrees);
    say(
      block("verdict"),
      `${verdict}: ${backends.join(" and ")}; ${count(compared)} numbers, greatest difference ${worst.toExponential(1)}${place}`,
    );
  }

  clear(): void {
    for (const id of ["figure", "results-scroll"]) block(id).hidden = true;
    for (const id of ["verdict", "continuation", "run-note"]) say(block(id), "");
  }

  private draw(): void {
    block("figure").hidden = false;
    const { lines, features } = this.report!;
    block("caption").replaceChildren(
      ...lines.map((_, i) => make("span", "line-key", lines.length === 1 ? "first output" : `feature ${i + 1}`)),
      ...(features > lines.length ? [` of ${features}`] : []),
    );
    this.plot ??= new Plot(block("chart"), {
      lines: colours.map((colour) => ({ colour, width: 1.5 })),
      data: () => this.data(),
      label: () => this.label(),
      pointed: (index) => this.point(index),
    });
    this.plot.draw();
  }

  private data(): [number[], ...(number | null)[][]] {
    const lines = this.report!.lines;
    const length = lines[0]?.length ?? 0;
    return [
      Array.from({ length }, (_, i) => i + 1),
      ...colours.map((_, i) => (lines[i] ? [...lines[i]] : new Array<null>(length).fill(null))),
    ];
  }

  private label(): string {
    const [first] = this.report!.lines;
    if (first.length === 1) return `First output of the only step: ${number(first[0])}`;
    return `First output over ${first.length} steps: from ${number(first[0])} to ${number(first[first.length - 1])}`;
  }

  private point(index: number | null): void {
    const values = index === null ? [] : this.report!.lines.map((line) => number(line[index]));
    block("readout").textContent = index === null ? "" : `step ${index + 1}: ${values.join(", ")}`;
  }
}
