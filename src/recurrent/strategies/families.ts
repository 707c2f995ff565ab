/** Lists the kernels of the strategies: their twins, and the variants that tests and the self-test of a device run. */
import type { KernelFamily } from "../../kernels/twin.ts";
import { loopFamily } from "../kernels/loop.twin.ts";
import { regularizedFamily } from "../kernels/regularized.twin.ts";
import { stepFamily } from "../kernels/step.twin.ts";
import { twoPhaseFamily } from "../kernels/two-phase.twin.ts";
import { scanFamily } from "./scan.twin.ts";

export const families: readonly KernelFamily[] = [stepFamily, loopFamily, twoPhaseFamily, scanFamily, regularizedFamily];
