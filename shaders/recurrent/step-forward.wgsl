// One time step of a recurrent layer: recurrent product, gates and new state. A thread owns one unit in four
// rows of the batch, so that each weight it loads is used four times.
struct Params { lanes: u32, T: u32, B: u32, H: u32, reverse: u32, hBase: u32, first: u32, steps: u32, i: u32 }
@group(0) @binding(0) var<storage, read_write> gates: array<Gates>;
@group(0) @binding(1) var<storage, read> weights: array<Gates>;
@group(0) @binding(2) var<storage, read_write> h: array<f32>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;
@group(0) @binding(4) var<storage, read> lengths: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

fn finish(step: Step, row: u32, unit: u32, r: Gates) {
  if (row >= params.B) { return; }
  let cell = row * params.H + unit;
  let hPrevious = h[step.hPrevious + cell];
  // A row that has ended (or, in reverse, not begun) keeps its state.
  if (step.t >= lengths[row]) {
    h[step.hCurrent + cell] = hPrevious;
    if (usesC) { c[step.cCurrent + cell] = c[step.cPrevious + cell]; }
    return;
  }
  let at = step.gates + cell;
  var cPrevious = 0.0;
  if (usesC) { cPrevious = c[step.cPrevious + cell]; }
  let out = cellForward(gates[at], r, hPrevious, cPrevious);
  gates[at] = out.gates;
  h[step.hCurrent + cell] = out.h;
  if (usesC) { c[step.cCurrent + cell] = out.c; }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let unit = id.x;
  if (unit >= params.H) { return; }
  let row = id.y * 4u;
  let step = stepAt(id.z, params.i);
  let firstWeight = laneStart(id.z, (params.H + 1u) * params.H);
  // Rows past the batch read the last one; their sums are dropped by finish.
  let last = params.B - 1u;
  let at0 = step.hPrevious + min(row, last) * params.H;
  let at1 = step.hPrevious + min(row + 1u, last) * params.H;
  let at2 = step.hPrevious + min(row + 2u, last) * params.H;
  let at3 = step.hPrevious + min(row + 3u, last) * params.H;
  var sum0 = weights[firstWeight + params.H * params.H + unit];
  var sum1 = sum0;
  var sum2 = sum0;
  var sum3 = sum0;
  for (var k = 0u; k < params.H; k++) {
    let w = weights[firstWeight + k * params.H + unit];
    sum0 = multiplyAdd(h[at0 + k], w, sum0);
    sum1 = multiplyAdd(h[at1 + k], w, sum1);
    sum2 = multiplyAdd(h[at2 + k], w, sum2);
    sum3 = multiplyAdd(h[at3 + k], w, sum3);
  }
  finish(step, row, unit, sum0);
  finish(step, row + 1u, unit, sum1);
  finish(step, row + 2u, unit, sum2);
  finish(step, row + 3u, unit, sum3);
}
