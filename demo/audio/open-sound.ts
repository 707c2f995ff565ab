/** Files as a model of sound: an amplifier, a voice detector, or what removes noise. */
import { RnnError, saveStream, type Module, type SaveStreamOptions } from "webgpu-rnn";
import { importModel, type ImportedModel } from "webgpu-rnn/formats";
import { compile } from "webgpu-rnn/stream";
import { Dtln, dtlnFrame, dtlnHop, readDtln } from "./dtln.ts";
import type { Files, Form, Playable } from "./messages.ts";

export interface Sound {
  readonly model: Module;
  /** Where the model comes from, in words. */
  readonly format: string;
  readonly form: Form;
  /** What a step reads. */
  readonly reads: Pick<SaveStreamOptions, "features" | "inputShape">;
}

const sampleBySample: Form = { gives: "sound", rate: undefined, frame: 1, hop: 1 };
/** Silero's voice detector reads 512 samples, and before them the last 64 of the frame before. */
const voice: Form = { gives: "voice", rate: 16000, frame: 576, hop: 512 };
const noise: Form = { gives: "sound", rate: 16000, frame: dtlnFrame, hop: dtlnHop };

/** A file's first bytes if it is one of HDF5. */
const isHdf5 = (bytes: Uint8Array): boolean => bytes[0] === 0x89 && bytes[1] === 0x48;

/** Whether it reads a frame of samples, has states, and gives a number. */
function isVoice({ format, inputs, outputs }: ImportedModel): boolean {
  const isState = ({ path }: { path: string }): boolean => path.startsWith("state.");
  const [input, output] = [inputs[0]?.shape, outputs[0]?.shape];
  return format === "onnx" && input?.length === 2 && inputs.some(isState) && output?.length === 2 && output[1] === 1;
}

/** What `importModel` reads, Silero's with its rate. */
async function read(files: Files): Promise<ImportedModel> {
  const given = Object.values(files);
  const one = given.length === 1 ? given[0] : files;
  return importModel(one).catch((error: unknown) => {
    if (!(error instanceof RnnError) || !error.message.includes("give constants:")) throw error;
    return importModel(one, { constants: { sr: voice.rate! } });
  });
}

/** @throws RnnError `format` if the files cannot be read, `option` if the model reads no samples */
export async function openSound(files: Files): Promise<Sound> {
  let imported: ImportedModel;
  try {
    imported = await read(files);
  } catch (error) {
    const [file, ...others] = Object.values(files);
    const dtln = others.length === 0 && isHdf5(file) ? await readDtln(file).catch(() => undefined) : undefined;
    if (!dtln) throw error;
    return { model: dtln, format: "DTLN", form: noise, reads: { inputShape: [1, 1, dtlnFrame] } };
  }
  const { model, format, inputs } = imported;
  if (isVoice(imported)) return { model, format: "Voice detector in ONNX", form: voice, reads: { inputShape: [1, voice.frame] } };
  const features = inputs[0]?.shape?.at(-1) ?? model.inputFeatures ?? 1;
  if (model.idCount !== undefined || features !== 1) {
    const what = model.idCount === undefined ? `${features} numbers` : "ids";
    throw new RnnError("option", "The model", `must read one sample and give one in each step; this one reads ${what}`);
  }
  return { model, format, form: sampleBySample, reads: { features } };
}

/** Makes of a visitor's files what the processor plays: the reading and the layers stay on the page. @throws RnnError as `openSound` does */
export async function playableOf(files: Files): Promise<Playable> {
  const { model, format, form, reads } = await openSound(files);
  // Those that were learnt: a Fourier transform is none.
  const parameters = [...model.namedParameters().values()].reduce((sum, { size, trainable }) => sum + (trainable ? size : 0), 0);
  const file = await saveStream(model, { ...reads, modules: { Dtln } });
  return { file, form, module: await compile(), format, parameters };
}
