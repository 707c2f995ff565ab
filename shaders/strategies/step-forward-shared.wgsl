// One time step of a recurrent layer, for GPUs. A workgroup owns 32 units in four or eight rows of the batch. Threads share the
// recurrent product as in products-forward-shared; those of share r then finish row r. In a stack, the lanes are layers.
// Each is a step behind the layer below, whose new state is its input.
@compute @workgroup_size(threads)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let lane = group.z;
  let row = group.y * rows;
  let unit = group.x * units + thread % units;
  // A thread past H reads the last unit and writes nothing.
  let own = min(unit, params.H - 1u);
  var i = params.i;
  if (stacked) {
    if (i < lane || i - lane >= params.steps) { return; }
    i -= lane;
  }
  let step = stepAt(lane, i);
  let firstWeight = forwardMatrix(lane);
  let r = addStates(step.hPrevious, row, fanIn(), firstWeight + own, thread, biasAt(firstWeight, own));
  var x = PackedGates();
  let above = stacked && lane > 0u;
  if (above) {
    // Input weights lie behind the recurrent weights of all lanes.
    let firstInput = forwardMatrix(params.lanes + lane - 1u);
    let bias = weightAt(firstInput + params.H * params.H + own);
    x = addStates(stepAt(lane - 1u, i).hCurrent, row, params.H, firstInput + own, thread, bias);
  }
  if (unit >= params.H || thread / units >= rows) { return; }
  let perUnit = perUnitAt(firstWeight + (matrixRows() + 1u) * params.H + unit);
  finish(step, row + thread / units, unit, r, above, x, perUnit);
}
