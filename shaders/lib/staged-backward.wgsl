// Products of a step of BPTT whose threads share sums: with the gate gradients of the workgroup's rows, which are in the
// batch from `row` on, on the recurrent side or on the input side. `chunk` units at a time are brought into workgroup memory.
const chunk = 512u / rows;

fn addGradients(at: u32, row: u32, recurrent: bool, count: u32, weight: u32, thread: u32, before: Sums) -> Sums {
  var sums = before;
  let unit = thread % chunk;
  // A thread brings two rows.
  let own = thread / chunk * 2u;
  let one = at + rowStart(row + own) + unit;
  let other = at + rowStart(row + own + 1u) + unit;
  for (var k = 0u; k < count; k += chunk) {
    // After this barrier, all threads have read what is overwritten next.
    workgroupBarrier();
    var first = PackedGates();
    var second = PackedGates();
    if (k + unit < count) {
      first = gradientAt(one + k, recurrent);
      second = gradientAt(other + k, recurrent);
    }
    putGradient(own, unit, first);
    putGradient(own + 1u, unit, second);
    workgroupBarrier();
    sums = addShare(thread / units, min(chunk, count - k), weight + k * params.H, sums);
  }
  return sums;
}

// Rows past the batch read the last one; finish drops their sums.
fn rowStart(row: u32) -> u32 { return min(row, params.B - 1u) * params.H; }
