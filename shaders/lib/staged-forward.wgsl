// Products of a step whose threads share sums: with the states of the workgroup's rows, which are in the batch from `row`
// on, and the bias. `chunk` units at a time are brought into workgroup memory.
const chunk = 512u / rows;

fn addStates(at: u32, row: u32, count: u32, weight: u32, thread: u32, bias: PackedGates) -> PackedGates {
  var sums = Sums();
  let unit = thread % chunk;
  // A thread brings two rows.
  let own = thread / chunk * 2u;
  let first = at + rowStart(row + own) + unit;
  let second = at + rowStart(row + own + 1u) + unit;
  for (var k = 0u; k < count; k += chunk) {
    // After this barrier, all threads have read what is overwritten next.
    workgroupBarrier();
    var pair = vec2<f32>();
    if (k + unit < count) { pair = vec2(operandAt(first + k), operandAt(second + k)); }
    putState(own, unit, pair.x);
    putState(own + 1u, unit, pair.y);
    workgroupBarrier();
    sums = addShare(thread / units, min(chunk, count - k), weight + k * params.H, sums);
  }
  return fold(sums, thread, bias);
}

// Rows past the batch read the last one; finish drops their sums.
fn rowStart(row: u32) -> u32 { return min(row, params.B - 1u) * params.H; }
