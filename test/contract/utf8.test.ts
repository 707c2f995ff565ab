// UTF-8 where there is TextDecoder and where there is none: the same texts, and the same refusals.
import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { decodeUtf8, encodeUtf8 } from "../../src/io/utf8.ts";

const wellFormed = fc.string({ unit: "grapheme" });
const [encoder, decoder] = [new TextEncoder(), new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })];

afterEach(() => vi.unstubAllGlobals());

describe.each(["with", "without"])("%s the platform's coders", (choice) => {
  const bare = (): void => {
    if (choice === "without") for (const name of ["TextEncoder", "TextDecoder"]) vi.stubGlobal(name, undefined);
  };

  it("encodes and decodes any text", () => {
    bare();
    fc.assert(
      fc.property(wellFormed, (text) => {
        const bytes = encodeUtf8(`{${text}`);
        expect([...bytes]).toEqual([...encoder.encode(`{${text}`)]);
        expect(decodeUtf8(bytes)).toBe(`{${text}`);
      }),
      { seed: 1 },
    );
  });

  it("refuses bytes that are not UTF-8", () => {
    bare();
    const accepts = (decode: () => string): boolean => {
      try {
        decode();
        return true;
      } catch {
        return false;
      }
    };
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 4 }), (bytes) => {
        expect(accepts(() => decodeUtf8(bytes))).toBe(accepts(() => decoder.decode(bytes)));
      }),
      { seed: 1, numRuns: 3000 },
    );
  });
});
