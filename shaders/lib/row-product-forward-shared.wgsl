// The product U·h_{t-1} of a row, for GPUs: threads share its sums as in products-forward-shared.
fn weightOf(lane: u32, thread: u32) -> u32 { return matrixOf(lane) + min(thread % units, params.H - 1u); }
fn beginProducts(lane: u32, thread: u32) { hold(thread / units, params.H, weightOf(lane, thread)); }

// The sum of the thread's unit, whose state is `operand`; 0 for threads without one.
fn multiply(lane: u32, operand: f32, thread: u32) -> PackedGates {
  if (thread < units) { putState(0u, thread, operand); }
  workgroupBarrier();
  return fold(addShare(thread / units, params.H, weightOf(lane, thread), Sums()), thread, PackedGates());
}
