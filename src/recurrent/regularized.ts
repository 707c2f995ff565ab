/** Loads the recurrence of layers with normalisation, zoneout or recurrent dropout, since most pages do not need it. */
import { Part } from "../part.ts";

export const regularized = new Part("normalization, zoneout or recurrentDropout", () => import("./row.ts"));
