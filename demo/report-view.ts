/** The result of "Check my device" as a table. */
import { block, count, make, makeButton } from "./dom.ts";
import type { DeviceReport } from "./messages.ts";

/** It was about another model or device. */
export function hideReport(): void {
  const place = block("report");
  place.hidden = true;
  place.replaceChildren();
  delete place.dataset.passed;
}

export function showReport(report: DeviceReport): void {
  const { passed, adapter, commands, compared, findings } = report;
  const bad = findings.filter((f) => f.firstBadIndex >= 0).length;
  const verdict = passed ? "Passed: every number agrees" : `Failed: ${bad} of ${findings.length} buffers differ`;
  const copy = makeButton("Copy as text", () => {
    navigator.clipboard.writeText(report.text).then(
      () => (copy.textContent = "Copied"),
      () => (copy.textContent = "Select the table to copy it"),
    );
  });
  const head = make(
    "tr",
    "",
    ["Result", "Kernel", "Buffer", "Worst difference"].map((name) => make("th", "", name, { scope: "col" })),
  );
  const rows = findings.map(({ kernel, buffer, worstDifference, firstBadIndex, device, twin }) => {
    const fine = firstBadIndex < 0;
    const worst = worstDifference === 0 ? "0" : worstDifference.toExponential(1);
    return make("tr", fine ? "" : "bad", [
      make("td", "result", fine ? "pass" : "fail"),
      make("th", "", kernel, { scope: "row" }),
      make("td", "buffer", buffer),
      make("td", "", fine ? worst : `${worst}; [${firstBadIndex}] is ${device}, should be ${twin}`),
    ]);
  });
  const place = block("report");
  place.replaceChildren(
    make("div", "bar", [make("h2", passed ? "pass" : "fail", verdict), copy]),
    make(
      "p",
      "note",
      `${adapter}: ${count(commands)} commands forward and backward, ${count(compared)} numbers compared with those of plain code on the CPU.`,
    ),
    make("div", "scroll", [make("table", "", [make("thead", "", [head]), make("tbody", "", rows)])], {
      tabindex: "0",
      role: "region",
      "aria-label": "Result for each kernel",
    }),
  );
  place.dataset.passed = String(passed);
  place.hidden = false;
  place.scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth", block: "nearest" });
}
