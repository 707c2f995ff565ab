/** ONNX' operators by name. Those of recurrent layers and If are not among them. */
import { Part } from "../../part.ts";
import { layoutOperators } from "./layout-operators.ts";
import { mathOperators } from "./math-operators.ts";
import type { Operator } from "./operator.ts";
import { productOperators } from "./product-operators.ts";
import { reduceOperators } from "./reduce-operators.ts";

const common = new Map<string, Operator>(Object.entries({ ...layoutOperators, ...mathOperators, ...productOperators, ...reduceOperators }));
const further = new Part("importModel", () => import("./further-operators.ts"));

/** An operator whose code is there: call `loadOperators` with all names of a graph first. */
export const operatorOf = (name: string): Operator | undefined => common.get(name) ?? further.now?.furtherOperators.get(name);

/** Loads what a graph with these operators needs. @throws RnnError `load` */
export async function loadOperators(names: readonly string[]): Promise<void> {
  if (names.some((name) => !common.has(name))) await further.load();
}
