/** Rows of numbers from text, as tables and sensors write them. */
import { RnnError } from "webgpu-rnn";

export interface Rows {
  readonly columns: number;
  readonly values: Float32Array<ArrayBuffer>;
}

const isNumeral = (text: string): boolean => text !== "" && Number.isFinite(Number(text));

/**
 * Reads rows of numbers separated by commas, semicolons, tabs or spaces. A first row of words is a heading.
 * @throws RnnError `data` that names the line
 */
export function parseRows(text: string): Rows {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const separator = [";", "\t", ","].find((one) => lines.some((line) => line.includes(one))) ?? /\s+/;
  const rows: number[][] = [];
  for (const [i, line] of lines.entries()) {
    if (line === "") continue;
    const cells = line.split(separator).map((cell) => cell.trim());
    if (rows.length === 0 && cells.every((cell) => !isNumeral(cell))) continue;
    const wrong = cells.find((cell) => !isNumeral(cell));
    if (wrong !== undefined)
      throw new RnnError("data", "The table", `line ${i + 1} has ${JSON.stringify(wrong.slice(0, 40))}, which is no number`);
    if (rows.length > 0 && cells.length !== rows[0].length)
      throw new RnnError("data", "The table", `line ${i + 1} has ${cells.length} numbers, and the first row has ${rows[0].length}`);
    rows.push(cells.map(Number));
  }
  if (rows.length === 0) throw new RnnError("data", "The table", "it has no rows of numbers");
  return { columns: rows[0].length, values: Float32Array.from(rows.flat()) };
}
