/** The parameters of a recurrent layer: names, shapes and first values. */
import type { Cell } from "../cells/cell.ts";
import { constant, glorot, identity, orthogonal, uniform, withRows, type Initializer } from "../../nn/initializers.ts";
import type { Parameter } from "../../nn/parameter.ts";
import type { Regularizer } from "./regularizer.ts";

/** A parameter before it is made. */
export type Planned = readonly [name: string, ...of: ConstructorParameters<typeof Parameter>];

/** The first value of one gate's bias. */
export interface GateBias {
  readonly gate: string;
  readonly value: number;
}

/** Options that decide the parameters and their first values. */
interface Choices {
  readonly bias: boolean | "input";
  readonly recurrentInit: "uniform" | "orthogonal" | "identity";
  readonly inputInit: "uniform" | "glorotUniform" | "glorotNormal";
  readonly gateBias: GateBias | undefined;
}

/** I inputs, H units, P numbers of h in `heads` heads; `deeper` inputs of a layer above the first. */
interface Sizes {
  readonly I: number;
  readonly H: number;
  readonly P: number;
  readonly heads: number;
  readonly deeper: number;
}

/** @param suffixes of each layer's directions */
export function plannedParameters(
  { gateNames, parameterGates = gateNames, perUnit, recurrence }: Cell,
  { I, H, P, heads, deeper }: Sizes,
  suffixes: readonly (readonly string[])[],
  { bias, recurrentInit, inputInit, gateBias }: Choices,
  regularizer: Regularizer,
): Planned[] {
  const G = parameterGates.length;
  const lanes = gateNames.map((name) => parameterGates.indexOf(name));
  const seeing = parameterGates.filter((name) => perUnit && name in perUnit.sees);
  const base = uniform(1 / Math.sqrt(H));
  const recurrent = { uniform: base, orthogonal: orthogonal(G), identity: identity(G) }[recurrentInit];
  const ofInputs = { uniform: base, glorotUniform: glorot("uniform", G), glorotNormal: glorot("normal", G) }[inputInit];
  const ofBiases = recurrentInit === "identity" ? constant(0) : base;
  // If a gate's bias is the sum of two, the first takes the whole value.
  const biasRows = (value: number): Initializer => {
    if (!gateBias) return ofBiases;
    const first = parameterGates.indexOf(gateBias.gate) * H;
    return withRows(ofBiases, first, first + H, value);
  };
  const { gains, runningShape, firstStatistics } = regularizer;
  const ofLane = (suffix: string, inputs: number): Planned[] => {
    const planned: Planned[] = [[`weight_ih_${suffix}`, [G * H, inputs], ofInputs, G, lanes]];
    if (recurrence !== "none") planned.push([`weight_hh_${suffix}`, [G * H, P / heads], recurrent, G, lanes]);
    if (perUnit)
      planned.push([
        `${perUnit.parameter}_${suffix}`,
        [seeing.length * H],
        base,
        seeing.length,
        gateNames.map((name) => seeing.indexOf(name)),
      ]);
    if (bias) planned.push([`bias_ih_${suffix}`, [G * H], biasRows(gateBias?.value ?? 0), G, lanes]);
    if (bias === true) planned.push([`bias_hh_${suffix}`, [G * H], biasRows(0), G, lanes]);
    if (P !== H) planned.push([`weight_hr_${suffix}`, [P, H], base]);
    if (!gains) return planned;
    for (const side of ["ih", "hh"]) planned.push([`gain_${side}_${suffix}`, [G * H], constant(gains.first), G, lanes]);
    if (gains.memory) planned.push([`gain_c_${suffix}`, [H], constant(gains.first)]);
    if (gains.memory && bias) planned.push([`bias_c_${suffix}`, [H], constant(0)]);
    if (runningShape) planned.push([`running_${suffix}`, runningShape(H), firstStatistics, 1, undefined, true]);
    return planned;
  };
  return suffixes.flatMap((ofLayer, layer) => ofLayer.flatMap((suffix) => ofLane(suffix, layer === 0 ? I : deeper)));
}
