// Kernels that move elements along an axis.

/** src/kernels/pick.ts. Sums of several elements are float64, as in the twin. */
export function pick(
  x: usize, starts: usize, sources: usize, y: usize, outer: usize, size: usize, inner: usize, count: usize, fill: f32, accumulate: bool,
): void {
  const row = inner << 2;
  for (; outer > 0; outer--) {
    for (let i: usize = 0; i < count; i++) {
      const at = starts + (i << 2);
      const first = sources + (load<usize>(at) << 2), end = sources + (load<usize>(at, 4) << 2);
      if (!accumulate && end - first == 4) copyRow(y, x + load<usize>(first) * row, row);
      else sumRows(x, first, end, y, row, fill, accumulate);
      y += row;
    }
    x += size * row;
  }
}

@inline
function copyRow(to: usize, from: usize, bytes: usize): void {
  // A call to copy four bytes would take longer than all else.
  if (bytes == 4) store<f32>(to, load<f32>(from));
  else memory.copy(to, from, bytes);
}

/** The sum of the rows whose indices are at the addresses from `first` up to `end`. */
function sumRows(x: usize, first: usize, end: usize, y: usize, row: usize, fill: f32, accumulate: bool): void {
  for (let n: usize = 0; n < row; n += 4) {
    let value: f64 = first == end ? fill : 0;
    for (let s = first; s < end; s += 4) value += load<f32>(x + load<usize>(s) * row + n);
    store<f32>(y + n, <f32>(accumulate ? load<f32>(y + n) + value : value));
  }
}

/** `unfold` of src/kernels/windows.ts. */
export function unfold(
  x: usize, windows: usize, batch: usize, channels: usize, length: i32, groups: usize, positions: usize, taps: usize, stride: i32, dilation: i32,
  before: i32, xBatch: usize, xChannel: usize, xStep: usize, fill: f32, accumulate: bool,
): void {
  const perGroup = channels / groups, bytes = taps << 2;
  for (let g: usize = 0; g < groups; g++) {
    for (let n: usize = 0; n < batch; n++) {
      const first = x + (n * xBatch + g * perGroup * xChannel << 2);
      let start = -before;
      for (let position: usize = 0; position < positions; position++) {
        let channel = first;
        for (let c: usize = 0; c < perGroup; c++) {
          window(channel, windows, bytes, start, length, dilation, xStep << 2, fill, accumulate);
          channel += xChannel << 2;
          windows += bytes;
        }
        start += stride;
      }
    }
  }
}

/** One window of a channel, from element l on. */
@inline
function window(channel: usize, to: usize, bytes: usize, l: i32, length: i32, dilation: i32, step: usize, fill: f32, accumulate: bool): void {
  for (const end = to + bytes; to != end; to += 4) {
    const value: f32 = l >= 0 && l < length ? load<f32>(channel + <usize>l * step) : fill;
    store<f32>(to, accumulate ? load<f32>(to) + value : value);
    l += dilation;
  }
}
