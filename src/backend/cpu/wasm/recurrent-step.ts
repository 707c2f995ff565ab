// One time step of a recurrent layer: the contracts of src/recurrent/kernels/step.ts. Neighbouring rows that are all alive
// at step t (they have this step), or all not, are a run. Its units are contiguous in every buffer, so that one flat loop
// does the gates of a whole run. A call does the rows from `first` up to `end`, because threads share the batch. Results
// are the same bit for bit however the batch is cut, as long as no part has fewer than four rows.
import { firstOfPairs, gateCount, gru, gruBackward, gruForward, hasPeepholes, lstm, lstmBackward, lstmForward, lstmOutput, rnnBackward, rnnForward, secondOfPairs, storePairs } from "./cells";
import { gateProduct } from "./gate-product";
import { product } from "./matmul";

/** Whether a row has step t; see `hasStep` in src/recurrent/kernels/lanes.twin.ts. */
@inline
export function hasStep(lengths: usize, row: usize, t: usize): bool {
  const steps = load<u32>(lengths + (row << 2));
  if (steps < 0x80000000) return t < <usize>steps;
  const bits = load<u32>(lengths + (<usize>(steps & 0x7fffffff) + (t >> 5) << 2));
  return ((bits >> (<u32>t & 31)) & 1) != 0;
}

/** First row after `row` whose being alive at step t differs from that of `row`, at most `end`. */
export function endOfRun(lengths: usize, row: usize, end: usize, t: usize): usize {
  const alive = hasStep(lengths, row, t);
  do row++; while (row < end && hasStep(lengths, row, t) == alive);
  return row;
}

/** `work`: room for [B, H·G] numbers. `panels`: the matrix of `weights` in panels, or 0. */
export function stepForward(
  cell: usize, variant: usize, gates: usize, weights: usize, panels: usize, h: usize, c: usize, lengths: usize, work: usize,
  B: usize, H: usize, t: usize, previousSlot: usize, currentSlot: usize, first: usize, end: usize,
): void {
  const G = gateCount(cell);
  const width = H * G;
  const bias = weights + (H * width << 2), peepholes = bias + (width << 2);
  for (let row = first; row < end; ) {
    const next = endOfRun(lengths, row, end, t);
    const units = (next - row) * H;
    const previous = (previousSlot * B + row) * H << 2, current = (currentSlot * B + row) * H << 2;
    if (hasStep(lengths, row, t)) {
      const at = gates + ((t * B + row) * width << 2);
      // x and r of a GRU's gates stay apart, because the reset gate multiplies only r; other cells add them up.
      const recurrent = cell == gru ? work + (row * width << 2) : at;
      const matrix = panels ? panels : weights, matrixRow: usize = panels ? 32 : width << 2, column: usize = panels ? 0 : 4;
      product(h + previous, matrix, bias, recurrent, next - row, width, H, H << 2, 4, matrixRow, column, width << 2, cell != gru);
      const together = unitsTogether(cell, variant, units, H) << 2;
      for (let i: usize = 0; i < units << 2; i += together) {
        forwardUnits(cell, variant, together >> 2, at + i * G, recurrent + i * G, peepholes, h + previous + i, c + previous + i, h + current + i, c + current + i);
      }
    } else {
      memory.copy(h + current, h + previous, units << 2);
      if (cell <= gru) memory.copy(c + current, c + previous, units << 2);
    }
    row = next;
  }
}

/** Units that one flat loop does: those of the run, or only those of a row if units have weights of their own. */
@inline
function unitsTogether(cell: usize, variant: usize, units: usize, H: usize): usize {
  return hasPeepholes(cell, variant) ? H : units;
}

export function forwardUnits(
  cell: usize, variant: usize, units: usize, gates: usize, recurrent: usize, peepholes: usize, hPrevious: usize, cPrevious: usize, h: usize, c: usize,
): void {
  const bytes = gateCount(cell) << 4, hFirst = h, cFirst = c;
  for (let i: usize = 0; i < units; i += 4) {
    const left = units - i;
    if (cell == lstm) lstmForward(variant, gates, peepholes, cPrevious, h, c, left);
    else if (cell == gru) gruForward(variant, gates, recurrent, hPrevious, h, c, left);
    else rnnForward(variant, gates, h, left);
    gates += bytes;
    recurrent += bytes;
    peepholes += bytes;
    hPrevious += 16;
    cPrevious += 16;
    h += 16;
    c += 16;
  }
  if (cell == lstm) lstmOutput(variant, units, cFirst, hFirst);
}

/** `work`: room for [B, H] numbers. `panels`: the matrix of `weights` as `packGatePanels` leaves it, or 0. */
export function stepBackward(
  cell: usize, variant: usize, gates: usize, weights: usize, panels: usize, h: usize, c: usize, dy: usize, carry: usize, dRecurrent: usize, lengths: usize, work: usize,
  B: usize, H: usize, t: usize, previousSlot: usize, currentSlot: usize, nextT: usize, hasNext: bool, tail: bool, first: usize, end: usize,
): void {
  const G = gateCount(cell);
  const size = B * H << 2;
  const from = first * H << 2;
  const peepholes = weights + (H * H * G << 2);
  if (hasNext) gateProduct((cell == gru ? dRecurrent : gates) + (nextT * size + from) * G, weights, panels, work + from, end - first, H, G);
  else memory.fill(work + from, 0, (end - first) * H << 2);
  if (tail) return addToCarry(carry + (from << 1), work + from, (end - first) * H);
  for (let row = first; row < end; ) {
    const next = endOfRun(lengths, row, end, t);
    const units = (next - row) * H;
    const at = row * H << 2;
    const saved = (t * size + at) * G;
    const previous = previousSlot * size + at, current = currentSlot * size + at;
    if (hasStep(lengths, row, t)) {
      const together = unitsTogether(cell, variant, units, H) << 2;
      for (let i: usize = 0; i < units << 2; i += together) {
        backwardUnits(
          cell, variant, together >> 2, gates + saved + i * G, peepholes, h + previous + i, h + current + i, c + previous + i, c + current + i,
          work + at + i, dy + t * size + at + i, carry + (at + i << 1), dRecurrent + saved + i * G,
        );
      }
    } else {
      addToCarry(carry + (at << 1), work + at, units);
      addToCarry(carry + (at << 1), dy + t * size + at, units);
      memory.fill(gates + saved, 0, (units << 2) * G);
      if (cell == gru) memory.fill(dRecurrent + saved, 0, (units << 2) * G);
    }
    row = next;
  }
}

export function addToCarry(carry: usize, dh: usize, units: usize): void {
  for (let i: usize = 0; i < units; i++) {
    store<f32>(carry, load<f32>(carry) + load<f32>(dh));
    carry += 8;
    dh += 4;
  }
}

/** `carry` holds dh and dc of each unit side by side. */
function backwardUnits(
  cell: usize, variant: usize, units: usize, gates: usize, peepholes: usize, hPrevious: usize, h: usize, cPrevious: usize, c: usize, product: usize, dy: usize, carry: usize, dRecurrent: usize,
): void {
  const bytes = gateCount(cell) << 4;
  for (let i: usize = 0; i < units; i += 4) {
    const left = units - i;
    const dh = f32x4.add(f32x4.add(firstOfPairs(carry), v128.load(product)), v128.load(dy));
    let dhPrevious = f32x4.splat(0), dcPrevious = dhPrevious;
    if (cell == lstm) dcPrevious = lstmBackward(variant, gates, peepholes, cPrevious, c, dh, secondOfPairs(carry), left);
    else if (cell == gru) dhPrevious = gruBackward(variant, gates, hPrevious, c, dh, dRecurrent, left);
    else rnnBackward(variant, h, dh, gates, left);
    storePairs(carry, dhPrevious, dcPrevious, left);
    gates += bytes;
    dRecurrent += bytes;
    peepholes += bytes;
    hPrevious += 16;
    h += 16;
    cPrevious += 16;
    c += 16;
    product += 16;
    dy += 16;
    carry += 32;
  }
}
