/** Finds the inputs that are initial states of recurrent nodes and the outputs that are what these become. */
import { everyNode, isGraph, type Graph, type Node } from "./graph.ts";
import { isRecurrent, stateInputs } from "./recurrent.ts";

/** Operators whose result is numbers of their first input in another order or shape. */
const moves = ["Identity", "Cast", "Slice", "Squeeze", "Unsqueeze", "Transpose", "Reshape", "Flatten", "Gather", "Split", "Expand"];
/** Operators that put several values together, or add one that is always the same. */
const joins = ["Concat", "Add"];

/** A state of the model: an input, and the output with which it goes on. */
export interface StatePorts {
  readonly input: string;
  readonly output: string;
}

export function findStates(graph: Graph, isKnown: (name: string) => boolean): StatePorts[] {
  const producers = new Map<string, { readonly node: Node; readonly place: number }>();
  const nodes = [...everyNode(graph)];
  for (const node of nodes) node.outputs.forEach((name, place) => name !== "" && producers.set(name, { node, place }));
  /** Where numbers of a value come from, by names of inputs and of states of nodes; undefined if they are computed. */
  const origins = (name: string): Set<string> | undefined => {
    const found = new Set<string>();
    const seen = new Set<string>();
    const open = [name];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (seen.has(next) || isKnown(next) || next === "") continue;
      seen.add(next);
      const made = producers.get(next);
      if (!made) {
        found.add(next);
        continue;
      }
      const { node, place } = made;
      if (node.operator === "If")
        open.push(...[...node.attributes.values()].filter(isGraph).map(({ outputs }) => outputs[place]?.name ?? ""));
      else if (moves.includes(node.operator)) open.push(node.inputs[0] ?? "");
      else if (joins.includes(node.operator)) open.push(...node.inputs);
      else if (isRecurrent(node.operator) && place > 0) found.add(stateName(node, place - 1));
      else return undefined;
    }
    return found;
  };
  const feeds = new Map<string, Set<string>>();
  for (const node of nodes) {
    if (!isRecurrent(node.operator)) continue;
    stateInputs.forEach((i, state) => {
      for (const input of origins(node.inputs[i] ?? "") ?? [])
        feeds.set(input, (feeds.get(input) ?? new Set()).add(stateName(node, state)));
    });
  }
  const fed = new Set([...feeds.values()].flatMap((states) => [...states]));
  const outputs = graph.outputs.map(({ name, shape }) => ({ name, shape, states: origins(name) ?? new Set<string>() }));
  return graph.inputs.flatMap(({ name, shape }) => {
    const own = feeds.get(name);
    if (!own) return [];
    // A branch that is taken where no state comes in has nodes that start from zeros.
    const going = outputs.filter(
      ({ states }) => [...own].every((state) => states.has(state)) && [...states].every((state) => own.has(state) || !fed.has(state)),
    );
    // Where an output is what was read in the end, the state itself has the sizes of the one that came in.
    const sizes = JSON.stringify(shape);
    const same = going.length > 1 ? going.filter((output) => JSON.stringify(output.shape) === sizes) : going;
    return same.length === 1 ? [{ input: name, output: same[0].name }] : [];
  });
}

const stateName = (node: Node, state: number): string => `${node.outputs.find((name) => name !== "") ?? node.name} ${state}`;
