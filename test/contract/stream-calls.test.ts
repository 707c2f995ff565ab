// Files of streams name functions with their arguments: files that exist must not mean something else one day.
import { expect, it } from "vitest";
import * as build from "../../src/backend/cpu/wasm-builds/stream.ts";
import { unpack } from "../../src/backend/cpu/unpack.ts";
import { compile, instantiate, scratchBytesOf } from "../../src/backend/cpu/wasm-code.ts";
import { inJavaScript, scratchBytes, streamVersion, workOf } from "../../src/stream/stream-file.ts";

it("the functions that files of streams call have the arguments that they had (else: another streamVersion, once it is published)", async () => {
  const { module } = (await compile(unpack(build)))!;
  const exports = await instantiate(module, new WebAssembly.Memory({ initial: 16, maximum: 16 }));
  const functions = Object.keys(workOf).filter((name) => !inJavaScript.includes(name));
  const counts = Object.fromEntries(functions.map((name) => [name, exports[name].length]));
  expect({ streamVersion, ...counts }).toMatchInlineSnapshot(`
    {
      "activationForward": 4,
      "binary": 17,
      "columnSum": 5,
      "embeddingGather": 5,
      "matmul": 17,
      "normalizeForward": 7,
      "packPanels": 6,
      "pick": 10,
      "regularizedForward": 3,
      "scanForward": 12,
      "softmaxForward": 5,
      "stepForward": 16,
      "streamVersion": 1,
      "stridedCopy": 12,
      "twoPhaseForward": 13,
      "unfold": 16,
    }
  `);
  // Files leave so much.
  expect(scratchBytesOf(exports)).toBeLessThanOrEqual(scratchBytes);
  // Each is in the list of those whose work is checked.
  expect(Object.keys(exports).sort()).toEqual(["scratchBytes", ...functions].sort());
});
