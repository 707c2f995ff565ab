// The product dr_{t+1}·U of a row, one k at a time: for software adapters. A thread owns the unit of its number.
override threads: u32;
var<workgroup> operands: array<PackedGates, threads>;

fn beginProducts(lane: u32, thread: u32) {}

// The sum of the thread's unit, whose gradient is `d`.
fn multiply(lane: u32, d: PackedGates, thread: u32) -> f32 {
  // All threads have read the operands of the step before.
  workgroupBarrier();
  operands[thread] = d;
  workgroupBarrier();
  var sum = 0.0;
  if (thread < params.H) {
    let weight = matrixOf(lane) + thread;
    for (var k = 0u; k < params.H; k++) { sum = dotGates(operands[k], weightAt(weight + k * params.H), sum); }
  }
  return sum;
}
