// Half a time step of a cell whose candidate needs its own recurrent product. Phase 0 computes the gates from h and
// leaves the candidate's operand in c. Phase 1 computes the candidate from that, and the new state. A thread owns one
// unit in four rows of the batch.
override phase: u32;
struct Params { lanes: u32, T: u32, B: u32, H: u32, reverse: u32, hBase: u32, first: u32, steps: u32, i: u32 }
@group(0) @binding(0) var<storage, read_write> gates: array<PackedGates>;
@group(0) @binding(1) var<storage, read> weights: array<Weights>;
@group(0) @binding(2) var<storage, read_write> h: array<f32>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;
@group(0) @binding(4) var<storage, read> lengths: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

fn operand(step: Step, at: u32) -> f32 {
  if (phase == 0u) { return h[step.hPrevious + at]; }
  return c[step.cCurrent + at];
}

fn finish(step: Step, row: u32, unit: u32, recurrent: PackedGates) {
  if (row >= params.B) { return; }
  let cell = row * params.H + unit;
  // A row that has ended (or, in reverse, not begun) keeps its state.
  if (!hasStep(row, step.t)) {
    if (phase == 0u) { c[step.cCurrent + cell] = 0.0; } else { h[step.hCurrent + cell] = h[step.hPrevious + cell]; }
    return;
  }
  let at = step.gates + cell;
  if (phase == 0u) {
    let out = firstForward(named(gates[at]), named(recurrent), h[step.hPrevious + cell]);
    gates[at] = packed(out.gates);
    c[step.cCurrent + cell] = out.operand;
  } else {
    let out = secondForward(named(gates[at]), named(recurrent), h[step.hPrevious + cell]);
    gates[at] = packed(out.gates);
    h[step.hCurrent + cell] = out.h;
  }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let unit = id.x;
  if (unit >= params.H) { return; }
  let row = id.y * 4u;
  let step = stepAt(id.z, params.i);
  let firstWeight = laneStart(id.z, (params.H + 1u) * params.H);
  // Rows past the batch read the last one; finish drops their sums.
  let last = params.B - 1u;
  let at0 = min(row, last) * params.H;
  let at1 = min(row + 1u, last) * params.H;
  let at2 = min(row + 2u, last) * params.H;
  let at3 = min(row + 3u, last) * params.H;
  var sum0 = weightAt(firstWeight + params.H * params.H + unit);
  var sum1 = sum0;
  var sum2 = sum0;
  var sum3 = sum0;
  for (var k = 0u; k < params.H; k++) {
    let w = weightAt(firstWeight + k * params.H + unit);
    sum0 = multiplyAdd(phase, operand(step, at0 + k), w, sum0);
    sum1 = multiplyAdd(phase, operand(step, at1 + k), w, sum1);
    sum2 = multiplyAdd(phase, operand(step, at2 + k), w, sum2);
    sum3 = multiplyAdd(phase, operand(step, at3 + k), w, sum3);
  }
  finish(step, row, unit, sum0);
  finish(step, row + 1u, unit, sum1);
  finish(step, row + 2u, unit, sum2);
  finish(step, row + 3u, unit, sum3);
}
