/** The recurrence of layers with normalisation, zoneout or recurrent dropout, which most pages need not load. */
import { Part } from "../../part.ts";

export const regularized = new Part("normalization, zoneout or recurrentDropout", () => import("./row.ts"));
