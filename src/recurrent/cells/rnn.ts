import type { Cell } from "./cell.ts";
import { functionName, functionOf, functionsName, usualFunctions, type GateFunctions } from "./gate-functions.ts";

/** Elman network (Elman 1990): h_t = g(W·x_t + b_ih + U·h_{t-1} + b_hh) with g = tanh, or another candidate of `functions`. */
export const rnnCell = (functions: GateFunctions): Cell => ({
  name: ["rnn", functionName(functions.candidate), ...functionsName({ ...functions, candidate: usualFunctions.candidate })].join("-"),
  shader: "rnn",
  functions,
  gateNames: ["h"],
  states: [],
  usesC: false,
  splitsRecurrentGradient: false,
  hasStateOf: true,
});

export const rnnTanh = rnnCell(usualFunctions);
export const rnnRelu = rnnCell({ ...usualFunctions, candidate: functionOf("Relu") });
