// Runs the whole time loop of a recurrent layer in one dispatch, for GPUs. A workgroup owns `rows` rows of the batch in
// one lane. Threads share the recurrent product as in products-forward-shared; those of share r then finish row r, whose
// states they keep in registers.
@compute @workgroup_size(threads)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let share = thread / units;
  let unit = thread % units;
  let lane = group.z;
  let row = group.x * rows + share;
  let firstWeight = forwardMatrix(lane);
  // A thread past H reads the last unit and keeps nothing.
  let own = min(unit, params.H - 1u);
  hold(share, fanIn(), firstWeight + own);
  let bias = biasAt(firstWeight, own);
  let perUnit = perUnitAt(firstWeight + (matrixRows() + 1u) * params.H + own);
  let finishes = share < rows && unit < params.H;
  var state = State();
  if (finishes) { state = initial(row, unit, stepAt(lane, 0u)); }
  for (var i = 0u; i < params.steps; i++) {
    let step = stepAt(lane, i);
    var x = PackedGates();
    if (share < rows) {
      // It comes from memory while the products are computed.
      x = inputAt(row, unit, step);
      putState(share, unit, state.h);
    }
    workgroupBarrier();
    let r = fold(addShare(share, fanIn(), firstWeight + own, Sums()), thread, bias);
    if (finishes) { state = advance(row, unit, step, x, r, state, perUnit); }
  }
}
