// Buffers of the time loop forward, and one step of one unit in one row.
struct Params { lanes: u32, T: u32, B: u32, H: u32, reverse: u32, hBase: u32, first: u32, steps: u32 }
@group(0) @binding(0) var<storage, read_write> gates: array<PackedGates>;
@group(0) @binding(1) var<storage, read> weights: array<Weights>;
@group(0) @binding(2) var<storage, read_write> h: array<f32>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;
@group(0) @binding(4) var<storage, read> lengths: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

struct State { h: f32, c: Memory }

// What the input gives the gates of a unit.
fn inputAt(row: u32, unit: u32, step: StepPlaces) -> PackedGates {
  if (row >= params.B || unit >= params.H) { return PackedGates(); }
  return gates[step.gates + row * params.H + unit];
}

// Computes one row of one step; the step is the same for all threads.
fn advance(row: u32, unit: u32, step: StepPlaces, x: PackedGates, r: PackedGates, before: State, perUnit: Gates) -> State {
  if (row >= params.B) { return before; }
  let cell = row * params.H + unit;
  var after = before;
  // A row that lacks the step keeps its state.
  if (hasStep(row, step.t)) {
    let out = cellForward(named(x), named(r), before.h, before.c, perUnit);
    gates[step.gates + cell] = packed(out.gates);
    after = State(out.h, out.c);
  }
  h[step.hCurrent + cell] = after.h;
  storeMemory(step.cCurrent + cell, after.c);
  return after;
}

fn initial(row: u32, unit: u32, step: StepPlaces) -> State {
  if (row >= params.B || unit >= params.H) { return State(); }
  let cell = row * params.H + unit;
  return State(h[step.hPrevious + cell], loadMemory(step.cPrevious + cell));
}
