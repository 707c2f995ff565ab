/**
 * Makes WGSL from a cell's data: the struct of a unit's gates by name, its layout in buffers, and the arithmetic that
 * does not depend on what the gates mean. The package's cells and those of `defineCell` both use it, so their WGSL
 * holds their arithmetic only. No other WGSL is made from strings.
 */
import type { Cell } from "../cells/cell.ts";
import { memoryNumbers } from "../cells/memory.ts";
import { structsPath, type RecurrentParts } from "./recurrent-kernel.ts";

const letters = ["x", "y", "z", "w"];

type Structured = Pick<RecurrentParts, "cell" | "pass" | "form">;

/**
 * - `Gates`: a unit's gates by name, for the cell's arithmetic.
 * - `PackedGates`: the same in the layout of buffers, so that one load fetches them. Three gates are not a vector
 *   there, because it would take the room of four. `packed` and `named` convert. Products are sums over packed gates.
 * - `HalfGates`: two gates to a word.
 * - `Sums`: sums of products for one unit in four rows of the batch, or eight.
 * - `Memory`: the states of a unit besides h: one number, or several by name. `loadMemory` and, in a forward pass,
 *   `storeMemory` find them in c, which has a plane of [B, H] for each.
 */
function cellStructs({ cell, pass, form }: Structured): string {
  const { gateNames: names, gatePhases, states, usesC, splitsRecurrentGradient, perUnit, recurrence } = cell;
  const G = names.length;
  const isVector = G !== 3;
  // The member of packed gates that holds gate i.
  const part = (i: number): string => (G === 1 ? "" : `.${isVector ? letters[i] : names[i]}`);
  const list = (of: (i: number) => string, join = ", "): string => names.map((_, i) => of(i)).join(join);
  const lines = [
    `struct Gates { ${names.map((name) => `${name}: f32`).join(", ")} }`,
    `alias PackedGates = ${["f32", "vec2<f32>", "Gates", "vec4<f32>"][G - 1]};`,
    `fn named(gates: PackedGates) -> Gates { return ${isVector ? `Gates(${list((i) => `gates${part(i)}`)})` : "gates"}; }`,
    `fn packed(gates: Gates) -> PackedGates { return ${isVector ? `PackedGates(${list((i) => `gates.${names[i]}`)})` : "gates"}; }`,
    `alias HalfGates = ${G > 2 ? "vec2<u32>" : "u32"};`,
    `fn fromHalf(w: HalfGates) -> PackedGates { return PackedGates(${list((i) => `unpack2x16float(w${G > 2 ? (i < 2 ? ".x" : ".y") : ""}).${letters[i % 2]}`)}); }`,
    `fn vectorOf(gates: PackedGates) -> vec4<f32> { return vec4<f32>(${letters.map((_, i) => (i < G ? `gates${part(i)}` : "0.0")).join(", ")}); }`,
    `fn gatesOf(v: vec4<f32>) -> PackedGates { return PackedGates(${list((i) => `v.${letters[i]}`)}); }`,
    `const gateCount = ${G}u;`,
    `const perUnitRows = ${perUnit ? 1 : 0}u;`,
    `const hasMatrix = ${recurrence !== "none"};`,
    `const splitsRecurrentGradient = ${splitsRecurrentGradient};`,
    `const usesC = ${usesC};`,
    `const hasMemory = ${states.length > 0};`,
    `const memoryNumbers = ${memoryNumbers(cell)}u;`,
    memoryStruct(cell),
  ];
  const multiplied = (i: number): string => `fma(scale, w${part(i)}, sum${part(i)})`;
  const dot = (gates: readonly number[]): string => gates.reduce((sum, i) => `fma(d${part(i)}, w${part(i)}, ${sum})`, "sum");
  const products = [
    `struct Sums { ${Array.from({ length: form.rows ?? 4 }, (_, i) => `row${i}: PackedGates`).join(", ")} }`,
    `fn multiplyAdd(scale: f32, w: PackedGates, sum: PackedGates) -> PackedGates { return PackedGates(${list(multiplied)}); }`,
    `fn dotGates(d: PackedGates, w: PackedGates, sum: f32) -> f32 { return ${dot(names.map((_, i) => i))}; }`,
    // One sum per gate, so that the sums do not wait for each other; `totalOf` adds them up in the end.
    `fn multiplyGates(d: PackedGates, w: PackedGates, sum: PackedGates) -> PackedGates { return PackedGates(${list((i) => `fma(d${part(i)}, w${part(i)}, sum${part(i)})`)}); }`,
    `fn totalOf(sums: PackedGates) -> f32 { return ${list((i) => `sums${part(i)}`, " + ")}; }`,
  ];
  return [...lines, ...(gatePhases ? [] : memoryAccess(cell, pass)), ...products].join("\n");
}

const memoryStruct = ({ states }: Cell): string =>
  states.length > 1 ? `struct Memory { ${states.map((name) => `${name}: f32`).join(", ")} }` : "alias Memory = f32;";

/** Loads and stores a unit's memory in kernels with one recurrent product. A backward pass may only read c. */
function memoryAccess({ states, usesC }: Cell, pass: "forward" | "backward"): string[] {
  const plane = (s: number): string => `c[at${s === 0 ? "" : ` + ${s}u * params.B * params.H`}]`;
  const several = states.length > 1;
  const loaded = several ? `Memory(${states.map((_, s) => plane(s)).join(", ")})` : usesC ? plane(0) : "0.0";
  const stored = several ? states.map((name, s) => `${plane(s)} = memory.${name};`).join(" ") : usesC ? `${plane(0)} = memory;` : "";
  const load = `fn loadMemory(at: u32) -> Memory { return ${loaded}; }`;
  return pass === "forward" ? [load, `fn storeMemory(at: u32, memory: Memory) { ${stored} }`] : [load];
}

/**
 * Returns a cell's WGSL that is in no file of the package, by its path in `Kernel.sources`: the structs, or what a user
 * wrote.
 */
export function cellText(parts: Structured, path: string): string | undefined {
  if (path === structsPath) return cellStructs(parts);
  return path === `cells/${parts.cell.shader}` ? parts.cell.own?.wgsl : undefined;
}
