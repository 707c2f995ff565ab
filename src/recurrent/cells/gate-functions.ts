/** The functions of a cell's gates, as data; the usual ones are σ and tanh. */
import { activationFunctionNames, activationFunctions, type ActivationFunction } from "../../kernels/activation-functions.ts";

export interface GateFunction {
  readonly name: ActivationFunction;
  /** α and β, each 0 if the function has none. */
  readonly alpha: number;
  readonly beta: number;
}

export interface GateFunctions {
  /** The function of all gates that open and close: i, f, o; r, z. */
  readonly gates: GateFunction;
  /** The function of the written value: g; n; h of an RNN. */
  readonly candidate: GateFunction;
  /** The function between an LSTM's c and its h. */
  readonly output: GateFunction;
  /** Arguments of gates and candidate are clipped to ±clip; 0 for never. */
  readonly clip: number;
}

export const functionOf = (name: ActivationFunction, alpha = 0, beta = 0): GateFunction => ({ name, alpha, beta });
export const identity = functionOf("Affine", 1, 0);
export const usualFunctions: GateFunctions = {
  gates: functionOf("Sigmoid"),
  candidate: functionOf("Tanh"),
  output: functionOf("Tanh"),
  clip: 0,
};

/** The values of a gate at both ends of the clip. */
export const endsOf = ({ name, alpha, beta }: GateFunction, clip: number): readonly [top: number, bottom: number] => {
  const value: (x: number, alpha: number, beta: number) => number = activationFunctions[name];
  return [value(clip, alpha, beta), value(-clip, alpha, beta)];
};

const sameFunction = (one: GateFunction, other: GateFunction): boolean =>
  one.name === other.name && one.alpha === other.alpha && one.beta === other.beta;

const roles = ["gates", "candidate", "output"] as const;
export type Role = (typeof roles)[number];

/** The roles with a function that is not the usual one. */
const chosenRoles = (functions: GateFunctions): Role[] => roles.filter((role) => !sameFunction(functions[role], usualFunctions[role]));
const isUsual = (functions: GateFunctions): boolean => functions.clip === 0 && chosenRoles(functions).length === 0;

/** A function's part of a cell's name. */
export function functionName(of: GateFunction): string {
  if (sameFunction(of, identity)) return "identity";
  const { name, alpha, beta } = of;
  return `${name.toLowerCase()}${alpha === 0 && beta === 0 ? "" : `(${alpha},${beta})`}`;
}

/** The parts of a cell's name that tell its functions from the usual ones. */
export const functionsName = (functions: GateFunctions): string[] => [
  ...chosenRoles(functions).map((role) => `${role === "output" ? "" : `${role}-`}${functionName(functions[role])}`),
  ...(functions.clip > 0 ? [`clip(${functions.clip})`] : []),
];

/** The WGSL files with the functions of a cell's gates; none for a cell whose own WGSL has them. */
export const functionsSource = ({ functions }: { readonly functions?: GateFunctions }): string[] =>
  functions ? (isUsual(functions) ? ["lib/gate-functions"] : ["lib/functions", "lib/chosen-functions"]) : [];

/** Pipeline constants of `lib/chosen-functions`. */
export function functionConstants(functions: GateFunctions | undefined): Record<string, number> {
  if (!functions || isUsual(functions)) return {};
  const { clip } = functions;
  const of = roles.flatMap((role) => {
    const { name, alpha, beta } = functions[role];
    const [top, bottom] = endsOf(functions[role], role === "output" ? 0 : clip);
    return Object.entries({ Kind: activationFunctionNames.indexOf(name), Alpha: alpha, Beta: beta, Top: top, Bottom: bottom })
      .filter(([part]) => role !== "output" || !["Top", "Bottom"].includes(part))
      .map(([part, value]) => [role + part, value] as const);
  });
  return { ...Object.fromEntries(of), clip };
}
