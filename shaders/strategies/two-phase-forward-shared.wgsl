// Half a time step of a cell whose candidate needs its own recurrent product, for GPUs: phases as in two-phase-forward,
// threads and rows as in step-forward-shared. The product is made for all gates, since what a phase does not need costs
// less than a second set of kernels.
@compute @workgroup_size(threads)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let lane = group.z;
  let row = group.y * rows;
  let unit = group.x * units + thread % units;
  // A thread past H reads the last unit and writes nothing.
  let own = min(unit, params.H - 1u);
  let step = stepAt(lane, params.i);
  let weight = laneStart(lane, (params.H + 1u) * params.H) + own;
  let recurrent = addStates(operandStart(step), row, params.H, weight, thread, weightAt(weight + params.H * params.H));
  if (unit >= params.H || thread / units >= rows) { return; }
  finish(step, row + thread / units, unit, recurrent);
}
