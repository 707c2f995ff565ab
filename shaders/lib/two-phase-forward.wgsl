// Buffers of half a step of a two-phase cell, and what becomes of one unit in one row.
override phase: u32;
struct Params { lanes: u32, T: u32, B: u32, H: u32, reverse: u32, hBase: u32, first: u32, steps: u32, i: u32 }
@group(0) @binding(0) var<storage, read_write> gates: array<PackedGates>;
@group(0) @binding(1) var<storage, read> weights: array<Weights>;
@group(0) @binding(2) var<storage, read_write> h: array<f32>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;
@group(0) @binding(4) var<storage, read> lengths: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

// Where the operand of this phase's product begins, and its numbers.
fn operandStart(step: StepPlaces) -> u32 { return select(step.cCurrent, step.hPrevious, phase == 0u); }
fn operandAt(i: u32) -> f32 {
  if (phase == 0u) { return h[i]; }
  return c[i];
}

fn finish(step: StepPlaces, row: u32, unit: u32, recurrent: PackedGates) {
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
