/** Opens the app's pages in a browser. */
import type { Browser } from "puppeteer";
import type { Result } from "./app.ts";

export interface Visit {
  readonly result: Result;
  /** The page's console messages and uncaught errors. */
  readonly complaints: string[];
}

/** Waits for the global `finished`. */
export async function visit(browser: Browser, url: string): Promise<Visit> {
  const page = await browser.newPage();
  const complaints: string[] = [];
  page.on("console", (entry) => complaints.push(`${entry.type()}: ${entry.text()}`));
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.setDefaultTimeout(0);
  await page.goto(url, { timeout: 0 });
  const ended = page.waitForFunction(() => (globalThis as { finished?: unknown }).finished);
  // What a policy forbids is told as an error by Firefox, also where the page knows what to do without.
  const failed = new Promise<never>((_, fail) =>
    page.on("pageerror", (error) => {
      if (!/^(\w+: )?Content-Security-Policy:/.test(String(error))) fail(new Error(`the page at ${url} failed: ${String(error)}`));
    }),
  );
  await Promise.race([ended, failed]);
  const result = await page.evaluate(() => (globalThis as { finished?: unknown }).finished as Result);
  await page.close();
  return { result, complaints };
}
