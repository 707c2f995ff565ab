// Products of a step whose threads share sums: with the states of four rows, which begin at `at`, and the bias. `chunk`
// units at a time are brought into workgroup memory.
const chunk = 128u;

fn addStates(at: vec4<u32>, count: u32, weight: u32, thread: u32, bias: PackedGates) -> PackedGates {
  var sums = Sums();
  for (var k = 0u; k < count; k += chunk) {
    // After this barrier, all threads have read what is overwritten next.
    workgroupBarrier();
    let unit = thread % chunk;
    // A thread brings two rows.
    let row = thread / chunk * 2u;
    var pair = vec2<f32>();
    if (k + unit < count) { pair = vec2(operandAt(at[row] + k + unit), operandAt(at[row + 1u] + k + unit)); }
    putState(row, unit, pair.x);
    putState(row + 1u, unit, pair.y);
    workgroupBarrier();
    sums = addShare(thread / units, min(chunk, count - k), weight + k * params.H, sums);
  }
  return fold(sums, thread, bias);
}
