/** Why there is no WebGPU, in words that only those load who miss it. */
import { Part } from "../part.ts";

export const environment = new Part("createBackend", () => import("./environment.ts"));
