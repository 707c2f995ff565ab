// The product U·h_{t-1} of a row, one k at a time: for software adapters. A thread owns the unit of its number.
override threads: u32;
var<workgroup> operands: array<f32, threads>;

fn beginProducts(lane: u32, thread: u32) {}

// The sum of the thread's unit, whose state is `operand`.
fn multiply(lane: u32, operand: f32, thread: u32) -> PackedGates {
  // All threads have read the operands of the step before.
  workgroupBarrier();
  operands[thread] = operand;
  workgroupBarrier();
  var sum = PackedGates();
  if (thread < params.H) {
    let weight = matrixOf(lane) + thread;
    for (var k = 0u; k < params.H; k++) { sum = multiplyAdd(operands[k], weightAt(weight + k * params.H), sum); }
  }
  return sum;
}
