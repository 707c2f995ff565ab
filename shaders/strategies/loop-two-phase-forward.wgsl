// Runs the whole time loop of a layer whose candidate needs its own recurrent product; tiles as in loop-forward. Each
// step computes the gates from all units' h, then the candidate from all units' operands.
override threads: u32;

// Values of the four rows, by unit. Each array is written while the other is read, so each needs only one barrier.
var<workgroup> states: array<vec4<f32>, threads>;
var<workgroup> operands: array<vec4<f32>, threads>;

@compute @workgroup_size(threads)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) unit: u32) {
  let row = group.x * 4u;
  let lane = group.z;
  let firstWeight = laneStart(lane, (params.H + 1u) * params.H);
  let before = stepAt(lane, 0u);
  var state = vec4(initial(row, unit, before), initial(row + 1u, unit, before), initial(row + 2u, unit, before), initial(row + 3u, unit, before));
  for (var i = 0u; i < params.steps; i++) {
    let step = stepAt(lane, i);
    states[unit] = state;
    workgroupBarrier();
    var sum0 = PackedGates();
    var sum1 = PackedGates();
    var sum2 = PackedGates();
    var sum3 = PackedGates();
    var operand = vec4<f32>();
    if (unit < params.H) {
      sum0 = weightAt(firstWeight + params.H * params.H + unit);
      sum1 = sum0;
      sum2 = sum0;
      sum3 = sum0;
      for (var k = 0u; k < params.H; k++) {
        let w = weightAt(firstWeight + k * params.H + unit);
        let hk = states[k];
        sum0 = multiplyAddIn(0u, hk.x, w, sum0);
        sum1 = multiplyAddIn(0u, hk.y, w, sum1);
        sum2 = multiplyAddIn(0u, hk.z, w, sum2);
        sum3 = multiplyAddIn(0u, hk.w, w, sum3);
      }
      operand = vec4(
        first(row, unit, step, sum0, state.x), first(row + 1u, unit, step, sum1, state.y),
        first(row + 2u, unit, step, sum2, state.z), first(row + 3u, unit, step, sum3, state.w));
    }
    operands[unit] = operand;
    workgroupBarrier();
    if (unit < params.H) {
      for (var k = 0u; k < params.H; k++) {
        let w = weightAt(firstWeight + k * params.H + unit);
        let q = operands[k];
        sum0 = multiplyAddIn(1u, q.x, w, sum0);
        sum1 = multiplyAddIn(1u, q.y, w, sum1);
        sum2 = multiplyAddIn(1u, q.z, w, sum2);
        sum3 = multiplyAddIn(1u, q.w, w, sum3);
      }
      state = vec4(
        second(row, unit, step, sum0, state.x), second(row + 1u, unit, step, sum1, state.y),
        second(row + 2u, unit, step, sum2, state.z), second(row + 3u, unit, step, sum3, state.w));
    }
  }
}
