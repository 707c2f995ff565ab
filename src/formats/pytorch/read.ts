/** Finds the state dictionary in what `torch.save` wrote. */
import { listed } from "../../errors.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { formatError } from "../imported.ts";
import { copyTensors, readTorch, TorchTensor, type TorchFile } from "./tensors.ts";

const where = "PyTorch file";

/** A dictionary of tensors, and where it is: "" for the file's own, else names with dots between them. */
interface Found {
  readonly path: string;
  readonly tensors: Map<string, TorchTensor>;
}

/** Names that training scripts give the model's dictionary, in the order in which they are looked for. */
const usualNames = ["model_state_dict", "state_dict", "model_state", "model", "net", "network", "weights", "params"];

/** Deeper than checkpoints nest. */
const mostDepth = 8;

function findDictionaries(value: TorchFile["value"], path: string, found: Found[], seen: Set<unknown>): void {
  if (!(value instanceof Map) || seen.has(value) || path.split(".").length > mostDepth) return;
  seen.add(value);
  const tensors = new Map<string, TorchTensor>();
  for (const [name, inner] of value) if (typeof name === "string" && inner instanceof TorchTensor) tensors.set(name, inner);
  if (tensors.size > 0) found.push({ path, tensors });
  for (const [name, inner] of value)
    if (typeof name === "string") findDictionaries(inner, path === "" ? name : `${path}.${name}`, found, seen);
}

/** The dictionary of the model: the file's own, or the one in a checkpoint that a usual name tells, or the only one. */
function modelOf(found: readonly Found[]): Found {
  const own = found.find(({ path }) => path === "");
  const named = usualNames.map((name) => found.find(({ path }) => path === name || path.startsWith(`${name}.`))).find(Boolean);
  const others = found.filter(({ path }) => !/optim|scheduler|scaler/i.test(path));
  const chosen = own ?? named ?? (others.length === 1 ? others[0] : undefined);
  if (chosen) return chosen;
  if (found.length === 0) throw formatError(where, "it holds no dictionary of tensors; save model.state_dict()");
  throw formatError(where, `it holds several dictionaries of tensors, ${listed(found.map(({ path }) => path))}; save the model's alone`);
}

/**
 * The state dictionary of a file, or of the checkpoint that it is. What `DataParallel` puts before each name is left
 * out.
 * @throws RnnError `format`
 */
export function readStateDict(bytes: Uint8Array): Record<string, Tensor> {
  const file = readTorch(bytes);
  if (file.value instanceof TorchTensor) return copyTensors(file, new Map([["tensor", file.value]]));
  const found: Found[] = [];
  findDictionaries(file.value, "", found, new Set());
  const { tensors } = modelOf(found);
  const wrapped = [...tensors.keys()].every((name) => name.startsWith("module."));
  return copyTensors(file, wrapped ? new Map([...tensors].map(([name, tensor]) => [name.slice("module.".length), tensor])) : tensors);
}
