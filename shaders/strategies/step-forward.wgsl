// One time step of a recurrent layer: recurrent product, gates and new state. A thread owns one unit in four
// rows of the batch, so that each weight it loads is used four times. Stacked, the lanes are layers: each is a step
// behind the one below, whose new state is its input.
struct Params { lanes: u32, T: u32, B: u32, H: u32, reverse: u32, hBase: u32, first: u32, steps: u32, i: u32 }
@group(0) @binding(0) var<storage, read_write> gates: array<PackedGates>;
@group(0) @binding(1) var<storage, read> weights: array<Weights>;
@group(0) @binding(2) var<storage, read_write> h: array<f32>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;
@group(0) @binding(4) var<storage, read> lengths: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

fn finish(step: Step, row: u32, unit: u32, r: PackedGates, above: bool, projected: PackedGates, perUnit: Gates) {
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

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let unit = id.x;
  if (unit >= params.H) { return; }
  let row = id.y * 4u;
  var i = params.i;
  if (stacked) {
    if (i < id.z || i - id.z >= params.steps) { return; }
    i -= id.z;
  }
  let step = stepAt(id.z, i);
  let firstWeight = forwardMatrix(id.z);
  // Rows past the batch read the last one; their sums are dropped by finish.
  let last = params.B - 1u;
  let read = step.hPrevious + firstRead(unit);
  let at0 = read + min(row, last) * params.H;
  let at1 = read + min(row + 1u, last) * params.H;
  let at2 = read + min(row + 2u, last) * params.H;
  let at3 = read + min(row + 3u, last) * params.H;
  var sum0 = biasAt(firstWeight, unit);
  var sum1 = sum0;
  var sum2 = sum0;
  var sum3 = sum0;
  for (var k = 0u; k < fanIn(); k++) {
    let w = weightAt(firstWeight + k * params.H + unit);
    sum0 = multiplyAdd(h[at0 + k], w, sum0);
    sum1 = multiplyAdd(h[at1 + k], w, sum1);
    sum2 = multiplyAdd(h[at2 + k], w, sum2);
    sum3 = multiplyAdd(h[at3 + k], w, sum3);
  }
  var x0 = PackedGates();
  var x1 = PackedGates();
  var x2 = PackedGates();
  var x3 = PackedGates();
  let above = stacked && id.z > 0u;
  if (above) {
    // The weights of inputs lie behind those of all lanes' states.
    let firstInput = forwardMatrix(params.lanes + id.z - 1u);
    let below = stepAt(id.z - 1u, i).hCurrent;
    x0 = weightAt(firstInput + params.H * params.H + unit);
    x1 = x0;
    x2 = x0;
    x3 = x0;
    for (var k = 0u; k < params.H; k++) {
      let w = weightAt(firstInput + k * params.H + unit);
      x0 = multiplyAdd(h[below + min(row, last) * params.H + k], w, x0);
      x1 = multiplyAdd(h[below + min(row + 1u, last) * params.H + k], w, x1);
      x2 = multiplyAdd(h[below + min(row + 2u, last) * params.H + k], w, x2);
      x3 = multiplyAdd(h[below + min(row + 3u, last) * params.H + k], w, x3);
    }
  }
  let perUnit = perUnitAt(firstWeight + (matrixRows() + 1u) * params.H + unit);
  finish(step, row, unit, sum0, above, x0, perUnit);
  finish(step, row + 1u, unit, sum1, above, x1, perUnit);
  finish(step, row + 2u, unit, sum2, above, x2, perUnit);
  finish(step, row + 3u, unit, sum3, above, x3, perUnit);
}
