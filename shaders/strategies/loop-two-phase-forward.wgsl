// Runs the whole time loop of a layer whose candidate needs its own recurrent product; tiles as in loop-forward. Each
// step computes the gates from all units' h, then the candidate from all units' operands.
override threads: u32;
struct Params { lanes: u32, T: u32, B: u32, H: u32, reverse: u32, hBase: u32, first: u32, steps: u32 }
@group(0) @binding(0) var<storage, read_write> gates: array<PackedGates>;
@group(0) @binding(1) var<storage, read> weights: array<Weights>;
@group(0) @binding(2) var<storage, read_write> h: array<f32>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;
@group(0) @binding(4) var<storage, read> lengths: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

// Values of the four rows, by unit. Each array is written while the other is read, so each needs only one barrier.
var<workgroup> states: array<vec4<f32>, threads>;
var<workgroup> operands: array<vec4<f32>, threads>;

fn initial(row: u32, unit: u32, step: Step) -> f32 {
  if (row >= params.B || unit >= params.H) { return 0.0; }
  return h[step.hPrevious + row * params.H + unit];
}

fn first(row: u32, unit: u32, step: Step, recurrent: PackedGates, hPrevious: f32) -> f32 {
  if (row >= params.B) { return 0.0; }
  let cell = row * params.H + unit;
  var out = FirstForward();
  if (hasStep(row, step.t)) {
    let at = step.gates + cell;
    out = firstForward(named(gates[at]), named(recurrent), hPrevious);
    gates[at] = packed(out.gates);
  }
  c[step.cCurrent + cell] = out.operand;
  return out.operand;
}

fn second(row: u32, unit: u32, step: Step, recurrent: PackedGates, hPrevious: f32) -> f32 {
  if (row >= params.B) { return 0.0; }
  let cell = row * params.H + unit;
  var state = hPrevious;
  if (hasStep(row, step.t)) {
    let at = step.gates + cell;
    let out = secondForward(named(gates[at]), named(recurrent), hPrevious);
    gates[at] = packed(out.gates);
    state = out.h;
  }
  h[step.hCurrent + cell] = state;
  return state;
}

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
        sum0 = multiplyAdd(0u, hk.x, w, sum0);
        sum1 = multiplyAdd(0u, hk.y, w, sum1);
        sum2 = multiplyAdd(0u, hk.z, w, sum2);
        sum3 = multiplyAdd(0u, hk.w, w, sum3);
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
        sum0 = multiplyAdd(1u, q.x, w, sum0);
        sum1 = multiplyAdd(1u, q.y, w, sum1);
        sum2 = multiplyAdd(1u, q.z, w, sum2);
        sum3 = multiplyAdd(1u, q.w, w, sum3);
      }
      state = vec4(
        second(row, unit, step, sum0, state.x), second(row + 1u, unit, step, sum1, state.y),
        second(row + 2u, unit, step, sum2, state.z), second(row + 3u, unit, step, sum3, state.w));
    }
  }
}
