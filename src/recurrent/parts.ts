/** Code that many pages do not need, loaded with the layers, or the gradients, that do. */
import { Part } from "../part.ts";

export const derivatives = new Part("gradients", () => import("./derivatives.ts"));
export const halves = new Part('storage: "float16"', () => import("./half-copies.ts"));
export const regularized = new Part("normalization, zoneout or recurrentDropout", () => import("./regularized.ts"));
export const perUnit = new Part("peepholes", () => import("./per-unit.ts"));
export const twoPhase = new Part('reset: "before"', () => import("./two-phase.ts"));
export const stacking = new Part("numLayers", () => import("./stacked-input.ts"));
/** What a device's profile decides. */
export const profiles = new Part("profile", () => import("./strategies/measured.ts"));
