// Buffers of BPTT in one dispatch, and one step of one unit in one row.
struct Params { lanes: u32, T: u32, B: u32, H: u32, reverse: u32, hBase: u32, first: u32, steps: u32, tail: u32 }
@group(0) @binding(0) var<storage, read_write> gates: array<PackedGates>;
@group(0) @binding(1) var<storage, read> weights: array<Weights>;
@group(0) @binding(2) var<storage, read> h: array<f32>;
@group(0) @binding(3) var<storage, read> c: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<f32>;
@group(0) @binding(5) var<storage, read_write> carry: array<Carry>;
@group(0) @binding(6) var<storage, read_write> dRecurrent: array<PackedGates>;
@group(0) @binding(7) var<storage, read> lengths: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

struct Row { dRecurrent: PackedGates, carry: Carry }

fn retreat(row: u32, unit: u32, step: StepPlaces, product: f32, carried: Carry, perUnit: Gates) -> Row {
  if (row >= params.B) { return Row(); }
  let cell = row * params.H + unit;
  let at = step.gates + cell;
  var dh = product + carried.h;
  // A row that lacks the step passes its gradient on, and in a gap also the repeated output's. Its gates had no part in it.
  if (!hasStep(row, step.t)) {
    gates[at] = PackedGates();
    if (splitsRecurrentGradient) { dRecurrent[at] = PackedGates(); }
    if (hasGaps) { dh += dy[step.dy + cell]; }
    return Row(PackedGates(), Carry(dh, carried.c));
  }
  dh += dy[step.dy + cell];
  let cPrevious = loadMemory(step.cPrevious + cell);
  let cCurrent = loadMemory(step.cCurrent + cell);
  let out = cellBackward(named(gates[at]), h[step.hPrevious + cell], h[step.hCurrent + cell], cPrevious, cCurrent, dh, carried.c, perUnit);
  gates[at] = packed(out.dGates);
  if (splitsRecurrentGradient) { dRecurrent[at] = packed(out.dRecurrent); }
  return Row(packed(out.dRecurrent), Carry(out.dhPrevious, out.dcPrevious));
}

fn carryAt(lane: u32, row: u32, unit: u32) -> u32 { return laneStart(lane, params.B * params.H) + row * params.H + unit; }

fn loadRow(lane: u32, row: u32, unit: u32) -> Row {
  if (row >= params.B || unit >= params.H) { return Row(); }
  return Row(PackedGates(), carry[carryAt(lane, row, unit)]);
}

fn storeCarry(lane: u32, row: u32, unit: u32, value: Carry) {
  if (row < params.B && unit < params.H) { carry[carryAt(lane, row, unit)] = value; }
}
