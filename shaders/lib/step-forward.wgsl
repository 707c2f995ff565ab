// Buffers of one step, and what becomes of one unit in one row.
struct Params { lanes: u32, T: u32, B: u32, H: u32, reverse: u32, hBase: u32, first: u32, steps: u32, i: u32 }
@group(0) @binding(0) var<storage, read_write> gates: array<PackedGates>;
@group(0) @binding(1) var<storage, read> weights: array<Weights>;
@group(0) @binding(2) var<storage, read_write> h: array<f32>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;
@group(0) @binding(4) var<storage, read> lengths: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

fn operandAt(i: u32) -> f32 { return h[i]; }

fn finish(step: StepPlaces, row: u32, unit: u32, r: PackedGates, above: bool, projected: PackedGates, perUnit: Gates) {
  if (row >= params.B) { return; }
  let cell = row * params.H + unit;
  let hPrevious = h[step.hPrevious + cell];
  // A row that has ended (or, in reverse, not begun) keeps its state.
  if (!hasStep(row, step.t)) {
    h[step.hCurrent + cell] = hPrevious;
    storeMemory(step.cCurrent + cell, loadMemory(step.cPrevious + cell));
    return;
  }
  let at = step.gates + cell;
  let cPrevious = loadMemory(step.cPrevious + cell);
  var x = projected;
  if (!above) { x = gates[at]; }
  let out = cellForward(named(x), named(r), hPrevious, cPrevious, perUnit);
  gates[at] = packed(out.gates);
  h[step.hCurrent + cell] = out.h;
  storeMemory(step.cCurrent + cell, out.c);
}
