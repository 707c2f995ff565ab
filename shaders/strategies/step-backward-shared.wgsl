// One time step of BPTT, for GPUs: dh_t = dy_t + carry + dRecurrent_{t'}·U, where t' is the step of the segment that came
// after t, then the gates' gradients. Threads and rows as in step-forward-shared. In a stack, the lanes are layers. Each
// is a step behind the layer above, whose gradient reaches it through W instead of dy.
@compute @workgroup_size(threads)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let lane = group.z;
  let row = group.y * rows;
  let unit = group.x * units + thread % units;
  // A thread past H reads the last unit and writes nothing.
  let own = min(unit, params.H - 1u);
  var i = params.i;
  if (stacked && params.tail == 0u) {
    if (i < lane || i - lane >= params.steps) { return; }
    i -= lane;
  }
  let firstWeight = backwardMatrix(lane);
  var sums = Sums();
  if (params.tail != 0u || i + 1u < params.steps) {
    let slot = stepAt(lane, select(i + 1u, 0u, params.tail != 0u)).gates + firstRead(own);
    sums = addGradients(slot, row, true, fanIn(), firstWeight + own, thread, sums);
  }
  if (stacked && params.tail == 0u && lane + 1u < params.lanes) {
    let above = stepAt(lane + 1u, i).gates;
    sums = addGradients(above, row, false, params.H, backwardMatrix(params.lanes + lane) + own, thread, sums);
  }
  let product = fold(sums, thread);
  if (unit >= params.H || thread / units >= rows) { return; }
  let step = stepAt(lane, i);
  finish(lane, step, row + thread / units, unit, product, perUnitAt(firstWeight + matrixRows() * params.H + unit));
}
