/** What `saveModel` and `loadModel` do; loaded when one of them is first called. */
import { RnnError } from "../errors.ts";
import type { Module } from "../nn/module.ts";
import { Part } from "../part.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { describesModel, modelFormat } from "./format.ts";
import { layers } from "./layers.ts";
import { classesIn, descriptionOf, modelWith, type ModuleClass, type Names } from "./model-file.ts";
import { decodeSafetensors, encodeSafetensors } from "../io/safetensors.ts";

type Classes = Readonly<Record<string, ModuleClass>>;

/** Classes whose code few programs need. */
const further: readonly { readonly names: readonly string[]; readonly part: Part<Classes> }[] = [
  {
    names: ["Attention", "Decoder", "Seq2Seq"],
    part: new Part("loadModel", async () => {
      const { Attention, Decoder, Seq2Seq } = await import("../language/modules.ts");
      return { Attention, Decoder, Seq2Seq };
    }),
  },
];

/** The classes by name, with those of the caller, which come first. @throws RnnError `load` */
async function classesFor(given: Classes, needs: (names: readonly string[]) => boolean): Promise<Classes> {
  const needed = further.filter(({ names }) => needs(names));
  const loaded = await Promise.all(needed.map(({ part }) => part.load()));
  return { ...layers, ...(Object.assign({}, ...loaded) as Classes), ...given };
}

export interface Saved {
  readonly dtype: "F16" | "BF16" | undefined;
  readonly metadata: Readonly<Record<string, string>>;
}

export async function save(
  model: Module,
  state: Readonly<Record<string, Tensor>>,
  given: Names,
  { dtype, metadata }: Saved,
): Promise<Uint8Array<ArrayBuffer>> {
  const taken = ["format", "model"].find((key) => Object.hasOwn(metadata, key));
  if (taken !== undefined)
    throw new RnnError("option", "saveModel", `metadata cannot be named "${taken}", which the description of the layers uses`);
  const modules = await classesFor(given.modules, () => true);
  const description = descriptionOf(model, { ...given, modules });
  return encodeSafetensors(state, { ...metadata, format: modelFormat, model: description }, { dtype });
}

export async function load(file: Uint8Array, given: Names): Promise<Module> {
  const { tensors, metadata } = decodeSafetensors(file);
  const used = describesModel(metadata) && metadata.model !== undefined ? classesIn(metadata.model) : new Set<string>();
  const modules = await classesFor(given.modules, (names) => names.some((name) => used.has(name)));
  return modelWith(tensors, metadata, { ...given, modules });
}
