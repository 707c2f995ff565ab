// Half a time step of BPTT of a two-phase cell, for GPUs: phases as in two-phase-backward, threads and rows as in
// step-forward-shared.
@compute @workgroup_size(threads)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let lane = group.z;
  let row = group.y * rows;
  let unit = group.x * units + thread % units;
  // A thread past H reads the last unit and writes nothing.
  let weight = laneStart(lane, params.H * params.H) + min(unit, params.H - 1u);
  let step = stepAt(lane, params.i);
  var sums = Sums();
  let own = phase != 0u || params.tail != 0u;
  if (own || params.i + 1u < params.steps) {
    let slot = stepAt(lane, select(params.i + 1u, params.i, own)).gates;
    sums = addGradients(slot, row, true, params.H, weight, thread, sums);
  }
  let product = fold(sums, thread);
  if (unit >= params.H || thread / units >= rows) { return; }
  finish(lane, step, row + thread / units, unit, product);
}
