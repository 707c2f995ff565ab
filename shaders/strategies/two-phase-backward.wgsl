// Half a time step of BPTT of a two-phase cell. Phase 0: dh_t = dy_t + carry + the gates' gradients of step t' (the
// one after t) times U, then the gradients of the candidate and of the gates that act on h directly. Phase 1: the
// candidate's gradient of this step times U reaches the operand, and through it the remaining gates and h. A thread
// owns one unit in four rows of the batch.
override phase: u32;
struct Params { lanes: u32, T: u32, B: u32, H: u32, reverse: u32, hBase: u32, first: u32, steps: u32, i: u32, tail: u32 }
@group(0) @binding(0) var<storage, read_write> gates: array<PackedGates>;
@group(0) @binding(1) var<storage, read> weights: array<Weights>;
@group(0) @binding(2) var<storage, read> h: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read_write> carry: array<vec2<f32>>;
@group(0) @binding(5) var<storage, read> lengths: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

fn finish(lane: u32, step: Step, row: u32, unit: u32, product: f32) {
  if (row >= params.B) { return; }
  let cell = row * params.H + unit;
  let at = step.gates + cell;
  let previous = step.hPrevious + cell;
  let reach = laneStart(lane, params.B * params.H) + cell;
  let carried = carry[reach];
  if (phase != 0u) {
    if (!hasStep(row, step.t)) { return; }
    let out = secondBackward(named(gates[at]), h[previous], product, carried.y);
    storeFirstGates(at, out.gates);
    carry[reach] = vec2(carried.x + out.dhPrevious, 0.0);
    return;
  }
  var dh = product + carried.x;
  if (params.tail != 0u) {
    carry[reach] = vec2(dh, carried.y);
    return;
  }
  // A row that lacks the step passes its gradient on, and in a gap also the repeated output's. Its gates had no part in it.
  if (!hasStep(row, step.t)) {
    if (hasGaps) { dh += dy[step.dy + cell]; }
    carry[reach] = vec2(dh, carried.y);
    gates[at] = PackedGates();
    return;
  }
  let out = firstBackward(named(gates[at]), h[previous], dh + dy[step.dy + cell]);
  gates[at] = packed(out.gates);
  carry[reach] = vec2(out.dhPrevious, out.kept);
}

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
      sum0 = dotGates(phase, gatesAt(phase, at0 + k), w, sum0);
      sum1 = dotGates(phase, gatesAt(phase, at1 + k), w, sum1);
      sum2 = dotGates(phase, gatesAt(phase, at2 + k), w, sum2);
      sum3 = dotGates(phase, gatesAt(phase, at3 + k), w, sum3);
    }
  }
  finish(lane, step, row, unit, sum0);
  finish(lane, step, row + 1u, unit, sum1);
  finish(lane, step, row + 2u, unit, sum2);
  finish(lane, step, row + 3u, unit, sum3);
}
