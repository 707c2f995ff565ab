/** The model on the page: its numbers, and its layers drawn from the inputs to the outputs. */
import type { ImportedNode } from "webgpu-rnn/formats";
import { block, compact, count, make, say } from "../dom.ts";
import type { ModelInfo, Port } from "./messages.ts";

/** Nodes of an ONNX graph that compute nothing when the model runs; there are many. */
const isSilent = ({ became, parameters }: ImportedNode): boolean => parameters === 0 && /^(a constant|a view$|nothing)/.test(became);

function port(what: string, { name, sizes }: Port): HTMLElement {
  return make("li", "layer port", [
    make("span", "kind", [what, make("small", "", name)]),
    make("span", "became", sizes),
    make("span", "size", ""),
  ]);
}

function layer({ name, kind, became, parameters }: ImportedNode, most: number): HTMLElement {
  const size = make("span", "size", parameters > 0 ? [count(parameters), make("span", "share")] : "");
  // By the square root, so that small layers are seen beside large ones.
  const share = size.querySelector<HTMLElement>(".share");
  if (share) share.style.width = `${Math.max(4, 100 * Math.sqrt(parameters / most))}%`;
  return make("li", "layer", [make("span", "kind", [kind, make("small", "", name)]), make("span", "became", became), size]);
}

export function showModel({ name, format, parameters, layers, inputs, outputs }: ModelInfo): void {
  const shown = layers.filter((one) => !isSilent(one));
  const most = Math.max(1, ...shown.map((one) => one.parameters));
  block("model-title").textContent = name;
  block("format").textContent = format;
  block("parameters").textContent = compact(parameters);
  block("count").textContent = count(shown.length);
  block("layers").replaceChildren(
    ...inputs.map((one) => port("Input", one)),
    ...shown.map((one) => layer(one, most)),
    ...outputs.map((one) => port("Output", one)),
  );
  const silent = layers.length - shown.length;
  say(
    block("hidden-layers"),
    silent === 0 ? "" : `The drawing leaves out ${count(silent)} nodes: they compute only sizes, are views, or are not needed.`,
  );
}
