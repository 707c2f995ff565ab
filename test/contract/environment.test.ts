// The message if there is no WebGPU: it names the switch of this environment and of no other.
import { describe, expect, it } from "vitest";
import { environmentOf, whyNoAdapter, whyNoWebGpu, type Environment } from "../../src/backend/environment.ts";

const agents = {
  firefox: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
  chromium: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
  safari: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
  browser: "Lynx/2.9.0",
};
const node = { process: { versions: { node: "22.0.0" } }, navigator: { userAgent: "Node.js/22" } };
const all: Readonly<Record<Environment, object>> = {
  node,
  deno: { ...node, Deno: {} },
  ...(Object.fromEntries(
    Object.entries(agents).map(([name, userAgent]) => [name, { navigator: { userAgent }, isSecureContext: true }]),
  ) as Record<keyof typeof agents, object>),
};

/** Words that belong in one environment only. */
const own: Partial<Record<Environment, RegExp>> = {
  firefox: /about:/,
  chromium: /chrome:/,
  safari: /Feature Flags/,
  node: /the package "webgpu"|mesa/,
  deno: /Deno/,
};

describe("where there is no WebGPU", () => {
  it.each(Object.entries(all) as [Environment, object][])("%s gets the name of its own switch and of no other", (name, around) => {
    expect(environmentOf(around)).toBe(name);
    const said = `${whyNoWebGpu(around)} ${whyNoAdapter(around)}`;
    for (const [other, words] of Object.entries(own)) expect(words.test(said), `${name}: ${said}`).toBe(other === name);
  });

  it("a page that is not secure is told so, whatever the browser", () => {
    for (const userAgent of Object.values(agents))
      expect(whyNoWebGpu({ navigator: { userAgent }, isSecureContext: false })).toMatch(/https and localhost/);
  });
});
