// The sum over the 256 threads of a workgroup, in a fixed order, so that a run repeats bit for bit. It takes two rounds
// of 16 and two barriers; a reduction by halves takes nine. All threads must call it, and all get the result.
var<workgroup> lanes: array<f32, 256>;
var<workgroup> folded: array<f32, 16>;

fn foldSum(value: f32, thread: u32) -> f32 {
  lanes[thread] = value;
  workgroupBarrier();
  var total = 0.0;
  if (thread < 16u) {
    for (var i = 0u; i < 16u; i++) { total += lanes[i * 16u + thread]; }
    folded[thread] = total;
  }
  workgroupBarrier();
  total = 0.0;
  for (var i = 0u; i < 16u; i++) { total += folded[i]; }
  return total;
}
