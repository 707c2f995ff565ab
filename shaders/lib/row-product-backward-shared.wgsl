// The product dr_{t+1}·U of a row, for GPUs: threads share its sums as in products-backward-shared.
fn weightOf(lane: u32, thread: u32) -> u32 { return matrixOf(lane) + min(thread % units, params.H - 1u); }
fn beginProducts(lane: u32, thread: u32) { hold(thread / units, params.H, weightOf(lane, thread)); }

// The sum of the thread's unit, whose gradient is `d`; 0 for threads without one.
fn multiply(lane: u32, d: PackedGates, thread: u32) -> f32 {
  if (thread < units) { putGradient(0u, thread, d); }
  workgroupBarrier();
  return fold(addShare(thread / units, params.H, weightOf(lane, thread), Sums()), thread);
}
