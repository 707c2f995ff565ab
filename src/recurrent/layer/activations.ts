/** The options `activations` and `clip`, checked. */
import { checkNumber, reading, RnnError, show } from "../../errors.ts";
import { activationFunctionNames, type ActivationFunction } from "../../kernels/activation-functions.ts";
import { meantBy, takeItems, takeOptions } from "../../options.ts";
import { endsOf, functionOf, usualFunctions, type GateFunction, type GateFunctions, type Role } from "../cells/gate-functions.ts";

/**
 * A function of gates, by ONNX's name, or an object that gives α and β too. The defaults are onnxruntime's: HardSigmoid
 * has α 0.2 and β 0.5, LeakyRelu α 0.01, Elu α 1. ThresholdedRelu, Affine and ScaledTanh have no defaults.
 */
export type GateActivation =
  | "Sigmoid"
  | "Tanh"
  | "Relu"
  | "HardSigmoid"
  | "Softsign"
  | "Softplus"
  | "LeakyRelu"
  | "Elu"
  | { readonly name: "Sigmoid" | "Tanh" | "Relu" | "Softsign" | "Softplus" }
  | { readonly name: "HardSigmoid"; readonly alpha?: number; readonly beta?: number }
  | { readonly name: "LeakyRelu" | "Elu"; readonly alpha?: number }
  | { readonly name: "ThresholdedRelu"; readonly alpha: number }
  | { readonly name: "Affine" | "ScaledTanh"; readonly alpha: number; readonly beta: number };

/** Functions by what they act on; those left out are the usual ones. */
export interface GateActivations {
  /** The function of the gates that open and close (default Sigmoid): i, f and o of an LSTM, r and z of a GRU. */
  readonly gates?: GateActivation;
  /** The function of the written value (default Tanh): g of an LSTM, n of a GRU, h of an RNN. */
  readonly candidate?: GateActivation;
  /** The function between c_t and h_t of an LSTM (default Tanh). */
  readonly output?: GateActivation;
}

/** The functions of a layer with these roles: the same in both directions, or a pair, those of the second direction last. */
export type ActivationsOption<Of extends Role> =
  Pick<GateActivations, Of> | readonly [Pick<GateActivations, Of>, Pick<GateActivations, Of>];

/** Options of layers that can choose the functions of their gates. */
export interface GateOptions<Role extends keyof GateActivations> {
  /**
   * The functions of the gates, by ONNX's names, one for each role (default: the usual one). With two directions it may be
   * a pair of such objects; the second direction's functions then differ from the first's.
   */
  activations?: ActivationsOption<Role>;
  /**
   * Clips the arguments of the functions of gates and candidate to ±clip, as ONNX does (default: never); c is not
   * clipped. The gradient is 0 where an argument is clipped, at the ends too.
   */
  clip?: number;
}

/** Defaults of α and β; undefined where they must be given. */
const parameters: Readonly<Partial<Record<ActivationFunction, { readonly alpha?: number; readonly beta?: number }>>> = {
  HardSigmoid: { alpha: 0.2, beta: 0.5 },
  LeakyRelu: { alpha: 0.01 },
  Elu: { alpha: 1 },
  Affine: { alpha: undefined, beta: undefined },
  ScaledTanh: { alpha: undefined, beta: undefined },
  ThresholdedRelu: { alpha: undefined },
};

function takeFunction(where: string, option: string, given: unknown): GateFunction {
  const place = `${where}.${option}`;
  const { name, ...values }: Readonly<Record<string, unknown>> =
    typeof given === "string"
      ? { name: given }
      : takeOptions(place, given as { name?: unknown } | undefined, ["name", "alpha", "beta"], { needed: true });
  if (typeof name !== "string" || !activationFunctionNames.includes(name as ActivationFunction)) {
    const meant = typeof name === "string" ? meantBy(name, activationFunctionNames) : undefined;
    const hint = meant === undefined ? `known are ${activationFunctionNames.join(", ")}` : `did you mean "${meant}"?`;
    throw new RnnError("option", place, `must be the name of a function or { name, alpha, beta }, got ${show(name)}; ${hint}`);
  }
  const known = name as ActivationFunction;
  const wanted = parameters[known] ?? {};
  const [alpha, beta] = (["alpha", "beta"] as const).map((parameter) => {
    const value = values[parameter] ?? wanted[parameter];
    if (parameter in wanted) return checkNumber(place, `${parameter} of ${known}`, value);
    if (value !== undefined) throw new RnnError("option", place, `${known} has no ${parameter}, got ${show(value)}`);
    return 0;
  });
  // The backward pass derives the slope from the function's value, which these limits make possible.
  if (["LeakyRelu", "Elu", "ThresholdedRelu"].includes(known)) checkNumber(place, `alpha of ${known}`, alpha, { least: 0 });
  if (known === "ScaledTanh" && alpha === 0)
    throw new RnnError("option", place, "alpha of ScaledTanh must not be 0, which makes every value 0");
  return functionOf(known, alpha, beta);
}

/** An option that is short for one of the functions. */
interface Short {
  readonly role: Role;
  readonly option: string;
  /** The option's function, by default or as given. */
  readonly of: GateFunction;
}

/**
 * @param roles the roles that the layer has
 * @returns the functions of the layer, or of each direction if `activations` is a pair
 * @throws RnnError `option` for what is unknown or out of range
 */
export function takeFunctions(
  where: string,
  options: { readonly activations?: unknown; readonly clip?: number; readonly bidirectional?: boolean },
  roles: readonly Role[],
  short?: Short,
): GateFunctions[] {
  const { activations = {}, clip: limit } = options;
  const shortIsGiven = short && (options as Readonly<Record<string, unknown>>)[short.option] !== undefined;
  const clip = limit === undefined ? 0 : checkNumber(where, "clip", limit, { least: 0, open: true });
  const usual = { ...usualFunctions, ...(short && { [short.role]: short.of }), clip };
  const take = (given: unknown, place = "activations"): GateFunctions => {
    const chosen = takeOptions(`${where}.${place}`, given as Partial<Record<Role, unknown>>, roles, { needed: true });
    if (shortIsGiven && chosen[short.role] !== undefined)
      throw new RnnError("option", where, `${short.option} is short for activations.${short.role}; give one of them`);
    const taken = roles
      .filter((role) => chosen[role] !== undefined)
      .map((role) => [role, takeFunction(where, `${place}.${role}`, chosen[role])]);
    const functions: GateFunctions = { ...usual, ...(Object.fromEntries(taken) as Partial<GateFunctions>) };
    for (const role of roles)
      for (const end of endsOf(functions[role], clip)) checkNumber(where, `${place}.${role} at the ends of clip`, end);
    return functions;
  };
  if (!reading("option", where, "activations", () => Array.isArray(activations))) return [take(activations)];
  const pair = takeItems("option", where, "activations", "a pair", activations, (given, n) => take(given, `activations[${n}]`));
  const { bidirectional = false } = options;
  if (pair.length !== 2 || !bidirectional)
    throw new RnnError(
      "option",
      where,
      `a pair of activations needs two directions and bidirectional: true, got ${pair.length} entries and bidirectional: ${show(bidirectional)}`,
    );
  return pair;
}
