/** The derivatives of the ops that most models have; loaded with the first recording that differentiates. */
export { linearBackward } from "../autodiff/linear.backward.ts";
export { recurrentBackward } from "./backward.ts";
export { plainBackward } from "./plain.backward.ts";
