// Buffers of one step of BPTT, and what becomes of one unit in one row.
struct Params { lanes: u32, T: u32, B: u32, H: u32, reverse: u32, hBase: u32, first: u32, steps: u32, i: u32, tail: u32 }
@group(0) @binding(0) var<storage, read_write> gates: array<PackedGates>;
@group(0) @binding(1) var<storage, read> weights: array<Weights>;
@group(0) @binding(2) var<storage, read> h: array<f32>;
@group(0) @binding(3) var<storage, read> c: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<f32>;
@group(0) @binding(5) var<storage, read_write> carry: array<Carry>;
@group(0) @binding(6) var<storage, read_write> dRecurrent: array<PackedGates>;
@group(0) @binding(7) var<storage, read> lengths: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

fn outputGradient(lane: u32, step: StepPlaces, cell: u32) -> f32 {
  if (!stacked) { return dy[step.dy + cell]; }
  if (lane + 1u == params.lanes) { return dy[step.t * params.B * params.H + cell]; }
  return 0.0;
}

fn finish(lane: u32, step: StepPlaces, row: u32, unit: u32, product: f32, perUnit: Gates) {
  if (row >= params.B) { return; }
  let cell = row * params.H + unit;
  let reach = laneStart(lane, params.B * params.H) + cell;
  let carried = carry[reach];
  var dh = product + carried.h;
  if (params.tail != 0u) {
    carry[reach] = Carry(dh, carried.c);
    return;
  }
  let at = step.gates + cell;
  // A row that lacks the step passes its gradient on, and in a gap also the repeated output's. Its gates had no part in it.
  if (!hasStep(row, step.t)) {
    if (hasGaps) { dh += outputGradient(lane, step, cell); }
    carry[reach] = Carry(dh, carried.c);
    gates[at] = PackedGates();
    if (splitsRecurrentGradient) { dRecurrent[at] = PackedGates(); }
    return;
  }
  dh += outputGradient(lane, step, cell);
  let cPrevious = loadMemory(step.cPrevious + cell);
  let cCurrent = loadMemory(step.cCurrent + cell);
  let out = cellBackward(named(gates[at]), h[step.hPrevious + cell], h[step.hCurrent + cell], cPrevious, cCurrent, dh, carried.c, perUnit);
  gates[at] = packed(out.dGates);
  if (splitsRecurrentGradient) { dRecurrent[at] = packed(out.dRecurrent); }
  carry[reach] = Carry(out.dhPrevious, out.dcPrevious);
}
