// One time step of a recurrent layer: recurrent product, gates and new state. A thread owns one unit in four rows of
// the batch, so that it uses each loaded weight four times. In a stack, the lanes are layers. Each is a step behind the
// layer below, whose new state is its input.
const rows = 4u;
const tileUnits = 64u;
const tileLength = 8u;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let lane = group.z;
  let row = group.y * rows;
  let unit = group.x * 64u + thread;
  // A thread past H reads the last unit and writes nothing.
  let own = min(unit, params.H - 1u);
  var i = params.i;
  if (stacked) {
    if (i < lane || i - lane >= params.steps) { return; }
    i -= lane;
  }
  let step = stepAt(lane, i);
  let firstWeight = forwardMatrix(lane);
  // Rows past the batch read the last one; finish drops their sums.
  let starts = min(vec4(row, row + 1u, row + 2u, row + 3u), vec4(params.B - 1u)) * params.H;
  let r = addStates(step.hPrevious + firstRead(own) + starts, fanIn(), firstWeight + own, unit, thread, biasAt(firstWeight, own));
  var x = Sums();
  let above = stacked && lane > 0u;
  if (above) {
    // Input weights lie behind the recurrent weights of all lanes.
    let firstInput = forwardMatrix(params.lanes + lane - 1u);
    let bias = weightAt(firstInput + params.H * params.H + own);
    x = addStates(stepAt(lane - 1u, i).hCurrent + starts, params.H, firstInput + own, unit, thread, bias);
  }
  if (unit >= params.H) { return; }
  let perUnit = perUnitAt(firstWeight + (matrixRows() + 1u) * params.H + unit);
  finish(step, row, unit, r.row0, above, x.row0, perUnit);
  finish(step, row + 1u, unit, r.row1, above, x.row1, perUnit);
  finish(step, row + 2u, unit, r.row2, above, x.row2, perUnit);
  finish(step, row + 3u, unit, r.row3, above, x.row3, perUnit);
}
