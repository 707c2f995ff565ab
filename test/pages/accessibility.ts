/** The faults that axe-core finds on a page, in both colour schemes. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type axe from "axe-core";
import type { Page } from "puppeteer";

const source = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/**
 * Each violation of the page as it is now: colour scheme, rule, element and what axe says about it.
 * @example expect(await violations(page)).toEqual([])
 */
export async function violations(page: Page): Promise<string[]> {
  // Evaluated rather than added as a script, which a page's content security policy forbids.
  await page.evaluate(`globalThis.axe || (() => { ${source} })()`);
  return page.evaluate(async () => {
    const colours = document.documentElement.style;
    const rules = [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules]).filter((rule) => rule instanceof CSSMediaRule);
    const schemes = rules
      .filter(({ conditionText }) => conditionText.includes("prefers-color-scheme"))
      .map((rule) => ({ rule, condition: rule.conditionText }));
    const found: string[] = [];
    try {
      // Firefox' driver cannot ask for a scheme, so the style sheets' conditions are replaced by their answers.
      for (const scheme of ["light", "dark"]) {
        colours.colorScheme = scheme;
        for (const { rule, condition } of schemes) rule.media.mediaText = condition.includes(scheme) ? "all" : "not all";
        const { violations: wrong } = await (globalThis as unknown as { axe: typeof axe }).axe.run(document, {
          resultTypes: ["violations"],
        });
        for (const { id, help, nodes } of wrong)
          for (const { target, failureSummary } of nodes)
            found.push(`${scheme}: ${id} (${help}) at ${target.join(" ")}: ${failureSummary ?? ""}`);
      }
    } finally {
      colours.colorScheme = "";
      for (const { rule, condition } of schemes) rule.media.mediaText = condition;
    }
    return found;
  });
}
