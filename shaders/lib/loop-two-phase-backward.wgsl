// Buffers of BPTT through a two-phase cell's time loop, and both halves of one step of one unit in one row.
struct Params { lanes: u32, T: u32, B: u32, H: u32, reverse: u32, hBase: u32, first: u32, steps: u32, tail: u32 }
@group(0) @binding(0) var<storage, read_write> gates: array<PackedGates>;
@group(0) @binding(1) var<storage, read> weights: array<Weights>;
@group(0) @binding(2) var<storage, read> h: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read_write> carry: array<vec2<f32>>;
@group(0) @binding(5) var<storage, read> lengths: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

// One row of a thread's unit: its gates (activated or gradients), and the gradient for the step before.
struct Row { gates: PackedGates, dh: f32, kept: f32 }

fn carryAt(lane: u32, row: u32, unit: u32) -> u32 { return laneStart(lane, params.B * params.H) + row * params.H + unit; }

fn load(lane: u32, row: u32, unit: u32) -> Row {
  if (row >= params.B || unit >= params.H) { return Row(); }
  let carried = carry[carryAt(lane, row, unit)];
  return Row(PackedGates(), carried.x, carried.y);
}

fn store(lane: u32, row: u32, unit: u32, value: Row) {
  if (row < params.B && unit < params.H) { carry[carryAt(lane, row, unit)] = vec2(value.dh, value.kept); }
}

fn first(row: u32, unit: u32, step: StepPlaces, product: f32, before: Row) -> Row {
  if (row >= params.B) { return before; }
  let cell = row * params.H + unit;
  var dh = product + before.dh;
  if (!hasStep(row, step.t)) {
    if (hasGaps) { dh += dy[step.dy + cell]; }
    return Row(PackedGates(), dh, before.kept);
  }
  let out = firstBackward(named(gates[step.gates + cell]), h[step.hPrevious + cell], dh + dy[step.dy + cell]);
  return Row(packed(out.gates), out.dhPrevious, out.kept);
}

fn second(row: u32, unit: u32, step: StepPlaces, product: f32, before: Row) -> Row {
  if (row >= params.B) { return before; }
  let cell = row * params.H + unit;
  let at = step.gates + cell;
  if (!hasStep(row, step.t)) {
    gates[at] = PackedGates();
    return before;
  }
  let out = secondBackward(named(before.gates), h[step.hPrevious + cell], product, before.kept);
  gates[at] = packed(out.gates);
  return Row(packed(out.gates), before.dh + out.dhPrevious, 0.0);
}
