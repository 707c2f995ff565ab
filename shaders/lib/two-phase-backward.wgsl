// Buffers of half a step of BPTT of a two-phase cell, and what becomes of one unit in one row.
override phase: u32;
struct Params { lanes: u32, T: u32, B: u32, H: u32, reverse: u32, hBase: u32, first: u32, steps: u32, i: u32, tail: u32 }
@group(0) @binding(0) var<storage, read_write> gates: array<PackedGates>;
@group(0) @binding(1) var<storage, read> weights: array<Weights>;
@group(0) @binding(2) var<storage, read> h: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read_write> carry: array<vec2<f32>>;
@group(0) @binding(5) var<storage, read> lengths: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

fn finish(lane: u32, step: StepPlaces, row: u32, unit: u32, product: f32) {
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

// The gradient of this phase's gates. There is one side only.
fn gradientAt(at: u32, recurrent: bool) -> PackedGates { return gatesAt(phase, at); }
