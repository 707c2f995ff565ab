// Runs the whole time loop of a layer whose candidate needs its own recurrent product, for GPUs. Threads and rows as in
// loop-forward-shared. Both products of a step are made for all gates, since what a phase does not need costs less than
// a second set of kernels.
@compute @workgroup_size(threads)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let share = thread / units;
  let unit = thread % units;
  let lane = group.z;
  let row = group.x * rows + share;
  let firstWeight = laneStart(lane, (params.H + 1u) * params.H);
  // A thread past H reads the last unit and keeps nothing.
  let own = min(unit, params.H - 1u);
  hold(share, params.H, firstWeight + own);
  let bias = weightAt(firstWeight + params.H * params.H + own);
  let finishes = share < rows && unit < params.H;
  var state = 0.0;
  if (finishes) { state = initial(row, unit, stepAt(lane, 0u)); }
  for (var i = 0u; i < params.steps; i++) {
    let step = stepAt(lane, i);
    if (share < rows) { putState(share, unit, state); }
    workgroupBarrier();
    let gates = fold(addShare(share, params.H, firstWeight + own, Sums()), thread, bias);
    var operand = 0.0;
    if (finishes) { operand = first(row, unit, step, gates, state); }
    // All threads have read the states.
    if (share < rows) { putState(share, unit, operand); }
    workgroupBarrier();
    let candidate = fold(addShare(share, params.H, firstWeight + own, Sums()), thread, bias);
    if (finishes) { state = second(row, unit, step, candidate, state); }
  }
}
