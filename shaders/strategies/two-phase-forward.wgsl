// Half a time step of a cell whose candidate needs its own recurrent product. Phase 0 computes the gates from h and
// leaves the candidate's operand in c. Phase 1 computes the candidate from that, and the new state. A thread owns one
// unit in four rows of the batch.
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let unit = id.x;
  if (unit >= params.H) { return; }
  let row = id.y * 4u;
  let step = stepAt(id.z, params.i);
  let firstWeight = laneStart(id.z, (params.H + 1u) * params.H);
  // Rows past the batch read the last one; finish drops their sums.
  let last = params.B - 1u;
  let start = operandStart(step);
  let at0 = start + min(row, last) * params.H;
  let at1 = start + min(row + 1u, last) * params.H;
  let at2 = start + min(row + 2u, last) * params.H;
  let at3 = start + min(row + 3u, last) * params.H;
  var sum0 = weightAt(firstWeight + params.H * params.H + unit);
  var sum1 = sum0;
  var sum2 = sum0;
  var sum3 = sum0;
  for (var k = 0u; k < params.H; k++) {
    let w = weightAt(firstWeight + k * params.H + unit);
    sum0 = multiplyAddIn(phase, operandAt(at0 + k), w, sum0);
    sum1 = multiplyAddIn(phase, operandAt(at1 + k), w, sum1);
    sum2 = multiplyAddIn(phase, operandAt(at2 + k), w, sum2);
    sum3 = multiplyAddIn(phase, operandAt(at3 + k), w, sum3);
  }
  finish(step, row, unit, sum0);
  finish(step, row + 1u, unit, sum1);
  finish(step, row + 2u, unit, sum2);
  finish(step, row + 3u, unit, sum3);
}
