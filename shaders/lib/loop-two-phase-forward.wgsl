// Buffers of a two-phase cell's time loop forward, and both halves of one step of one unit in one row.
struct Params { lanes: u32, T: u32, B: u32, H: u32, reverse: u32, hBase: u32, first: u32, steps: u32 }
@group(0) @binding(0) var<storage, read_write> gates: array<PackedGates>;
@group(0) @binding(1) var<storage, read> weights: array<Weights>;
@group(0) @binding(2) var<storage, read_write> h: array<f32>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;
@group(0) @binding(4) var<storage, read> lengths: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

fn initial(row: u32, unit: u32, step: StepPlaces) -> f32 {
  if (row >= params.B || unit >= params.H) { return 0.0; }
  return h[step.hPrevious + row * params.H + unit];
}

fn first(row: u32, unit: u32, step: StepPlaces, recurrent: PackedGates, hPrevious: f32) -> f32 {
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

fn second(row: u32, unit: u32, step: StepPlaces, recurrent: PackedGates, hPrevious: f32) -> f32 {
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
