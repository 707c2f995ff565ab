// Sum and maximum over the threads of a workgroup, by halves: the order is fixed, so a run repeats bit for bit.
// `width` is the workgroup's size, a power of two up to 256. All threads must call, and all get the result.
var<workgroup> lanes: array<f32, 256>;

fn foldSum(value: f32, thread: u32, width: u32) -> f32 {
  lanes[thread] = value;
  workgroupBarrier();
  for (var half = width / 2u; half > 0u; half /= 2u) {
    if (thread < half) { lanes[thread] += lanes[thread + half]; }
    workgroupBarrier();
  }
  let total = lanes[0];
  // The next fold writes lanes again.
  workgroupBarrier();
  return total;
}

fn foldMax(value: f32, thread: u32, width: u32) -> f32 {
  lanes[thread] = value;
  workgroupBarrier();
  for (var half = width / 2u; half > 0u; half /= 2u) {
    if (thread < half) { lanes[thread] = max(lanes[thread], lanes[thread + half]); }
    workgroupBarrier();
  }
  let greatest = lanes[0];
  workgroupBarrier();
  return greatest;
}
