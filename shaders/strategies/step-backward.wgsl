// One time step of BPTT: dh_t = dy_t + carry + dRecurrent_{t'}·U, where t' is the step of the segment that came after
// t, then the gates' gradients. A thread owns one unit in four rows of the batch. In a stack, the lanes are layers.
// Each is a step behind the layer above, whose gradient reaches it through W instead of dy.
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
  if (stacked && params.tail == 0u) {
    if (i < lane || i - lane >= params.steps) { return; }
    i -= lane;
  }
  let firstWeight = backwardMatrix(lane);
  // Rows past the batch read the last one; finish drops their sums.
  let starts = min(vec4(row, row + 1u, row + 2u, row + 3u), vec4(params.B - 1u)) * params.H;
  var sum = vec4<f32>();
  if (params.tail != 0u || i + 1u < params.steps) {
    let slot = stepAt(lane, select(i + 1u, 0u, params.tail != 0u)).gates + firstRead(own);
    sum = addGradients(slot + starts, true, fanIn(), firstWeight + own, unit, thread);
  }
  if (stacked && params.tail == 0u && lane + 1u < params.lanes) {
    let above = stepAt(lane + 1u, i).gates;
    sum += addGradients(above + starts, false, params.H, backwardMatrix(params.lanes + lane) + own, unit, thread);
  }
  if (unit >= params.H) { return; }
  let step = stepAt(lane, i);
  let perUnit = perUnitAt(firstWeight + matrixRows() * params.H + unit);
  finish(lane, step, row, unit, sum.x, perUnit);
  finish(lane, step, row + 1u, unit, sum.y, perUnit);
  finish(lane, step, row + 2u, unit, sum.z, perUnit);
  finish(lane, step, row + 3u, unit, sum.w, perUnit);
}
