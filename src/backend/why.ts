/** Why there is no WebGPU, in words that only those load who miss it. */
import { Part } from "../part.ts";

export const environment = new Part("the reason why there is no WebGPU", () => import("./environment.ts"));
