// BPTT of a two-phase cell's layer in one dispatch, for GPUs. Threads and rows as in loop-forward-shared, the products of a
// step as in loop-two-phase-backward.

// The product with the gradients of one phase's gates, which all threads that finish a row hand over.
fn handOver(phase: u32, gates: PackedGates, weight: u32, thread: u32) -> f32 {
  let share = thread / units;
  if (share < rows) { putGradient(share, thread % units, ofPhase(phase, gates)); }
  workgroupBarrier();
  return fold(addShare(share, params.H, weight, Sums()), thread);
}

@compute @workgroup_size(threads)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let share = thread / units;
  let unit = thread % units;
  let lane = group.z;
  let row = group.x * rows + share;
  // A thread past H reads the last unit and keeps nothing.
  let weight = laneStart(lane, params.H * params.H) + min(unit, params.H - 1u);
  hold(share, params.H, weight);
  let finishes = share < rows && unit < params.H;
  var one = Row();
  if (finishes) { one = load(lane, row, unit); }
  for (var i = 0u; i < params.steps + params.tail; i++) {
    // Before the first step, the gates are zeros. A tail is a first half without a step.
    let product = handOver(0u, one.gates, weight, thread);
    if (i == params.steps) {
      one.dh += product;
    } else {
      let step = stepAt(lane, params.steps - 1u - i);
      if (finishes) { one = first(row, unit, step, product, one); }
      let ofOperand = handOver(1u, one.gates, weight, thread);
      if (finishes) { one = second(row, unit, step, ofOperand, one); }
    }
  }
  if (finishes) { store(lane, row, unit, one); }
}
