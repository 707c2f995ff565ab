/** ONNX' operators by name. Those of recurrent layers and If are not among them. */
import { layoutOperators } from "./layout-operators.ts";
import { mathOperators } from "./math-operators.ts";
import { normOperators } from "./norm-operators.ts";
import type { Operator } from "./operator.ts";
import { productOperators } from "./product-operators.ts";
import { reduceOperators } from "./reduce-operators.ts";
import { windowOperators } from "./window-operators.ts";

const all = new Map(
  Object.entries({ ...layoutOperators, ...mathOperators, ...productOperators, ...reduceOperators, ...normOperators, ...windowOperators }),
);

export const operatorOf = (name: string): Operator | undefined => all.get(name);
