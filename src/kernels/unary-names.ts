/** Names of functions of one number. */
import { activationFunctionNames } from "./activation-functions.ts";

/** Besides those of activation-functions.ts. unary-functions.ts says what each is; α and β are params. */
export const mathFunctionNames = [
  "Sqrt",
  "Root",
  "Exp",
  "Log",
  "Abs",
  "Reciprocal",
  "Erf",
  "Gelu",
  "GeluTanh",
  "Silu",
  "HardSwish",
  "Selu",
  "Clip",
  "Sign",
  "Floor",
  "Ceil",
  "Round",
  "Not",
] as const;

/** All functions; the place of a name is the kernels' param `kind`. */
export const unaryNames = [...activationFunctionNames, ...mathFunctionNames] as const;
export type UnaryName = (typeof unaryNames)[number];
