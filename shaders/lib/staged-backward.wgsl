// Products of a step of BPTT whose threads share sums: with the gate gradients of four rows, which begin at `at`, on the
// recurrent side or on the input side. `chunk` units at a time are brought into workgroup memory.
const chunk = 128u;

fn addGradients(at: vec4<u32>, recurrent: bool, count: u32, weight: u32, thread: u32, before: Sums) -> Sums {
  var sums = before;
  for (var k = 0u; k < count; k += chunk) {
    // After this barrier, all threads have read what is overwritten next.
    workgroupBarrier();
    let unit = thread % chunk;
    // A thread brings two rows.
    let row = thread / chunk * 2u;
    var first = PackedGates();
    var second = PackedGates();
    if (k + unit < count) {
      first = gradientAt(at[row] + k + unit, recurrent);
      second = gradientAt(at[row + 1u] + k + unit, recurrent);
    }
    putGradient(row, unit, first);
    putGradient(row + 1u, unit, second);
    workgroupBarrier();
    sums = addShare(thread / units, min(chunk, count - k), weight + k * params.H, sums);
  }
  return sums;
}
