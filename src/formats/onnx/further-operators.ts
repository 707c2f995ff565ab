/** Operators that many graphs of recurrent layers do without: windows and normalization. */
import { normOperators } from "./norm-operators.ts";
import type { Operator } from "./operator.ts";
import { windowOperators } from "./window-operators.ts";

export const furtherOperators = new Map<string, Operator>(Object.entries({ ...normOperators, ...windowOperators }));
