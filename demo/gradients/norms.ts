/** A matrix ‖∂E_t/∂h_k‖, and numbers of many sizes in words. */

export type Shown = "share" | "norm";

export class Norms {
  /** @param data [steps, steps + 1] */
  constructor(
    readonly steps: number,
    private readonly data: Float32Array,
  ) {}

  /** ‖∂E_t/∂h_k‖, t and k counted from 1; or as a share of ‖∂E_t/∂h_t‖. */
  at(t: number, k: number, shown: Shown): number {
    const row = (t - 1) * (this.steps + 1);
    const norm = this.data[row + k];
    return shown === "norm" ? norm : norm / this.data[row + t];
  }
}

const superscripts = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/** 0.13, 45, 4.5·10⁻⁸ */
export function inWords(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "–" : "∞";
  if (value === 0) return "0";
  if (value >= 0.00095 && value < 9995) return Number(value.toPrecision(2)).toLocaleString("en", { maximumSignificantDigits: 2 });
  const [digits, exponent] = value.toExponential(1).split("e");
  return `${digits}·${power(Number(exponent))}`;
}

/** 10⁻⁸ */
export function power(exponent: number): string {
  return `10${exponent < 0 ? "⁻" : ""}${Array.from(String(Math.abs(exponent)), (digit) => superscripts[Number(digit)]).join("")}`;
}

/** Describes a gradient of which this share is left. */
export function fate(share: number): string {
  if (!(share >= 0)) return "";
  if (share < 1e-3) return "vanished";
  if (share < 0.03) return "faded";
  return share <= 10 ? "arrives" : "exploded";
}
