// What a file of a model may hold, and what is refused: modules that nothing describes, damaged and hostile files.
import { describe, expect, it } from "vitest";
import {
  compose,
  createBackend,
  CustomRNN,
  decodeSafetensors,
  defineCell,
  encodeSafetensors,
  forward,
  GRU,
  importModel,
  Linear,
  loadModel,
  Module,
  ops,
  Parameter,
  RnnError,
  saveModel,
  Sequential,
  squaredError,
  sgd,
  Tanh,
  Trainer,
  uniform,
  type Context,
  type Tensor,
  type Variable,
} from "webgpu-rnn/static";
import { leaky, numbers } from "../device/support.ts";
import { sampled } from "../thorough.ts";

const model = (): Sequential => new Sequential({ rnn: new GRU(2, 3), out: new Linear(3, 2) }, { seed: 5 });

async function problemOf(run: Promise<unknown>, kind: string): Promise<string> {
  try {
    await run;
  } catch (error) {
    expect(error).toBeInstanceOf(RnnError);
    expect((error as RnnError).kind).toBe(kind);
    return (error as RnnError).message;
  }
  return expect.fail("it was accepted");
}

/** A file with another description or other tensors. */
async function changed(
  change: (description: string, tensors: Record<string, Tensor>) => string,
  whole: Module = model(),
): Promise<Uint8Array> {
  const { tensors, metadata } = decodeSafetensors(await saveModel(whole));
  return encodeSafetensors(tensors, { ...metadata, model: change(metadata.model, tensors) });
}

class Scale extends Module {
  constructor(
    readonly size: number,
    readonly inner: Module,
  ) {
    super();
    this.addParameter("factor", new Parameter([size], uniform(1)));
    this.addChild("inner", inner);
    this.initialize(1);
  }
  override describe(): readonly unknown[] {
    return [this.size, this.inner];
  }
  forward(context: Context, x: Variable): Variable {
    return ops.multiply(context, this.inner.forward(context.child("inner"), x), context.parameter("factor"));
  }
}

describe("a file of a model", () => {
  it("holds the parameters by the names of the state dictionary, and the texts that the app gave", async () => {
    const one = model();
    const { tensors, metadata } = decodeSafetensors(await saveModel(one, { metadata: { vocabulary: "abc" } }));
    expect(tensors).toEqual(await one.stateDict());
    expect(metadata.vocabulary).toBe("abc");
    expect(await problemOf(saveModel(one, { metadata: { model: "" } }), "option")).toMatch(/"model"/);
  });

  it("holds numbers of two bytes if asked to, which come back rounded", async () => {
    for (const dtype of ["F16", "BF16"] as const) {
      const one = model();
      const file = await saveModel(one, { dtype });
      const expected = decodeSafetensors(encodeSafetensors(await one.stateDict(), {}, { dtype })).tensors;
      expect(await (await loadModel(file)).stateDict()).toEqual(expected);
      expect(file.length).toBeLessThan((await saveModel(one)).length);
    }
  });

  it("holds the parameters of the moment of the call, while a training goes on", async () => {
    const one = new Linear(2, 1, { seed: 1 });
    const backend = await createBackend("cpu", { wasm: false });
    const input: Tensor = { shape: [1, 4, 2], data: numbers(8) };
    const data = { batches: 1, batch: () => ({ input, targets: { shape: [1, 4, 1], data: new Float32Array(4) } }) };
    const trainer = new Trainer(one, { backend, data, loss: squaredError(), optimizer: sgd({ learningRate: 0.1 }) });
    await trainer.train({ steps: 2 });
    const [file, state] = await Promise.all([saveModel(one), one.stateDict(), trainer.train({ steps: 3 })]);
    expect(decodeSafetensors(file).tensors).toEqual(state);
    expect(await one.stateDict()).not.toEqual(state);
  });

  it("gives modules and cells of the app back through their names", async () => {
    const cell = defineCell(leaky);
    const one = new Sequential([new CustomRNN(cell, 2, 2, { seed: 1 }), new Scale(2, new Linear(2, 2))]);
    const names = { modules: { Scale }, cells: { mine: cell } };
    const file = await saveModel(one, names);
    const again = await loadModel(file, names);
    const backend = await createBackend("cpu", { wasm: false });
    const input = { shape: [3, 1, 2], data: numbers(6) };
    expect(await forward(again, input, { backend })).toEqual(await forward(one, input, { backend }));
    expect(await problemOf(loadModel(file, { modules: { Scale } }), "format")).toMatch(/"mine", which must be in \{ cells \}/);
    expect(await problemOf(loadModel(file, { cells: names.cells }), "format")).toMatch(/"Scale", which must be in \{ modules \}/);
  });

  it("needs no further model where other programs' files are read", async () => {
    const one = model();
    const { model: again, report } = await importModel(await saveModel(one));
    expect(await again.stateDict()).toEqual(await one.stateDict());
    expect(report.map(({ name }) => name)).toEqual(Object.keys(await one.stateDict()));
  });

  it("is refused for what it cannot describe, by the path of the module", async () => {
    class Silent extends Module {
      forward(_: Context, x: Variable): Variable {
        return x;
      }
    }
    class Wrong extends Scale {
      override describe(): readonly unknown[] {
        return [this.size + 1, this.inner];
      }
    }
    class Taught extends GRU {}
    class Odd extends Silent {
      constructor(readonly odd: unknown) {
        super();
      }
      override describe(): readonly unknown[] {
        return [this.odd];
      }
    }
    const within = (part: Module): Module => new Sequential({ a: new Tanh(), b: part });
    const tried: [Module, object, RegExp][] = [
      [within(new Silent()), {}, /is of the class Silent, which the package does not have; give \{ modules: \{ Silent \} \}/],
      [within(new Silent()), { modules: { Silent } }, /is a Silent, which does not describe itself/],
      [within(new Taught(2, 3)), {}, /is of the class Taught/],
      [within(new Wrong(2, new Tanh())), { modules: { Wrong } }, /has other parameters: "b.factor"/],
      [within(new CustomRNN(defineCell(leaky), 2, 3)), {}, /custom cell.*cells/],
      [compose({ a: new Tanh() }, ({ a }, x) => a(x)), {}, /compose: .*function/],
      ...[NaN, Infinity, 1n, () => 1, new Map(), new Date(), new Float32Array(2), { "@": "GRU" }].map((odd): [Module, object, RegExp] => [
        within(new Odd(odd)),
        { modules: { Odd } },
        /"Sequential.0.b.Odd.0" has an argument that JSON cannot say/,
      ]),
    ];
    for (const [one, names, message] of tried) expect(await problemOf(saveModel(one, names), "option")).toMatch(message);
    expect(await loadModel(await saveModel(within(new Taught(2, 3)), { modules: { Taught } }), { modules: { Taught } })).toBeInstanceOf(
      Module,
    );
  });

  it("is refused if it does not describe a model, or one that its tensors do not fit", async () => {
    const file = (texts: Record<string, string>): Uint8Array => encodeSafetensors({}, texts);
    expect(await problemOf(loadModel(file({})), "format")).toMatch(/no format.*loadStateDict/);
    expect(await problemOf(loadModel(file({ format: "webgpu-rnn model 9", model: "1" })), "format")).toMatch(/"webgpu-rnn model 9"/);
    const described = (text: string): Promise<string> => changed(() => text).then((bytes) => problemOf(loadModel(bytes), "format"));
    expect(await described("[")).toMatch(/JSON cannot be read/);
    expect(await described("[".repeat(1000))).toMatch(/nested more than/);
    expect(await described("[]")).toMatch(/describes no module/);
    expect(await described('{"@":"Trainer","of":[]}')).toMatch(/"Trainer"/);
    for (const name of ["constructor", "__proto__", "toString"]) expect(await described(`{"@":"${name}","of":[]}`)).toMatch(name);
    expect(await described('{"@":"GRU"}')).toMatch(/arguments for GRU/);
    expect(await described('{"@":"GRU","of":[2,3,{"numLayer":2}]}')).toMatch(/cannot be: GRU: unknown option "numLayer"/);
    expect(await described('{"@":"GRU","of":[2,3]}')).toMatch(/lacks "weight_ih_l0"/);
    expect(await described('{"@":"GRU","of":[2,4]}')).toMatch(/more numbers than it holds/);
  });

  it("makes nothing larger than itself, whatever it describes", async () => {
    const large = [
      '{"@":"Linear","of":[10000,10000]}',
      '{"@":"Embedding","of":[100000000,2]}',
      '{"@":"LSTM","of":[16,16,{"numLayers":1024}]}',
      `{"@":"Sequential","of":[[${Array.from({ length: 5000 }, () => '{"@":"Linear","of":[100,100]}').join()}]]}`,
    ];
    for (const text of large) {
      const bytes = await changed(() => text);
      const before = process.memoryUsage().arrayBuffers;
      expect(await problemOf(loadModel(bytes), "format")).toMatch(/more numbers than it holds/);
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4e6);
    }
  });

  it("is read or refused in words, wherever its description is damaged", async () => {
    const { tensors, metadata } = decodeSafetensors(await saveModel(model()));
    const words = ["{", "}", "[", "]", '"@"', '"of"', "-1", "1e99", "null", '"GRU"', "true", "[]", "{}", ",", ":", "3"];
    const moments = sampled(
      Array.from({ length: 2000 }, (_, i) => i),
      500,
    );
    for (const i of moments) {
      const at = (i * 7919) % metadata.model.length;
      const text = metadata.model.slice(0, at) + words[i % words.length] + metadata.model.slice(at + (i % 4));
      await loadModel(encodeSafetensors(tensors, { ...metadata, model: text })).catch((error: unknown) => {
        expect(error).toBeInstanceOf(RnnError);
        expect((error as RnnError).kind).toBe("format");
      });
    }
  });
});
