// Half a time step of BPTT of a two-phase cell. Phase 0: dh_t = dy_t + carry + the gates' gradients of step t' (the
// one after t) times U, then the gradients of the candidate and of the gates that act on h directly. Phase 1: the
// candidate's gradient of this step times U reaches the operand, and through it the remaining gates and h. A thread
// owns one unit in four rows of the batch.
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let unit = id.x;
  if (unit >= params.H) { return; }
  let row = id.y * 4u;
  let lane = id.z;
  let step = stepAt(lane, params.i);
  var sum0 = 0.0;
  var sum1 = 0.0;
  var sum2 = 0.0;
  var sum3 = 0.0;
  if (phase != 0u || params.tail != 0u || params.i + 1u < params.steps) {
    let firstWeight = laneStart(lane, params.H * params.H);
    let last = params.B - 1u;
    let own = phase != 0u || params.tail != 0u;
    let slot = stepAt(lane, select(params.i + 1u, params.i, own)).gates;
    let at0 = slot + min(row, last) * params.H;
    let at1 = slot + min(row + 1u, last) * params.H;
    let at2 = slot + min(row + 2u, last) * params.H;
    let at3 = slot + min(row + 3u, last) * params.H;
    for (var k = 0u; k < params.H; k++) {
      let w = weightAt(firstWeight + k * params.H + unit);
      sum0 = dotGatesIn(phase, gatesAt(phase, at0 + k), w, sum0);
      sum1 = dotGatesIn(phase, gatesAt(phase, at1 + k), w, sum1);
      sum2 = dotGatesIn(phase, gatesAt(phase, at2 + k), w, sum2);
      sum3 = dotGatesIn(phase, gatesAt(phase, at3 + k), w, sum3);
    }
  }
  finish(lane, step, row, unit, sum0);
  finish(lane, step, row + 1u, unit, sum1);
  finish(lane, step, row + 2u, unit, sum2);
  finish(lane, step, row + 3u, unit, sum3);
}
