/** Tables in the terminal. */
import { printable } from "../train/display.ts";

/** Wider cells are cut. */
const widest = 60;

/** Rows of cells as lines with aligned columns; numbers stand at the right. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const text = (cell: string | number): string => {
    if (typeof cell === "number") return cell.toLocaleString("en");
    const line = printable(cell).replaceAll("\n", " ");
    return line.length > widest ? `${line.slice(0, widest - 1)}…` : line;
  };
  const lines = [head, ...rows].map((row) => row.map(text));
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  const isNumber = head.map((_, column) => rows.length > 0 && rows.every((row) => typeof row[column] === "number"));
  return lines
    .map((line) => line.map((cell, column) => (isNumber[column] ? cell.padStart(widths[column]) : cell.padEnd(widths[column]))).join("  "))
    .map((line) => `  ${line.trimEnd()}`)
    .join("\n");
}

/** [any, 16, 4] */
export const sizes = (shape: readonly (number | null)[] | undefined): string =>
  shape ? `[${shape.map((size) => size ?? "any").join(", ")}]` : "not said";
