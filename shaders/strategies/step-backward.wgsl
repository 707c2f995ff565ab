// One time step of BPTT: dh_t = dy_t + carry + dRecurrent_{t'}·U, where t' is the step of the segment that came after
// t, then the gates' gradients. A thread owns one unit in four rows of the batch. In a stack, the lanes are layers.
// Each is a step behind the layer above, whose gradient reaches it through W instead of dy.
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

const rows = 4u;
const tileUnits = 64u;
const tileLength = 8u;

fn outputGradient(lane: u32, step: Step, cell: u32) -> f32 {
  if (!stacked) { return dy[step.dy + cell]; }
  if (lane + 1u == params.lanes) { return dy[step.t * params.B * params.H + cell]; }
  return 0.0;
}

fn finish(lane: u32, step: Step, row: u32, unit: u32, product: f32, perUnit: Gates) {
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

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let lane = group.z;
  let row = group.y * rows;
  let unit = group.x * 64u + thread;
  // A thread past H reads the last unit and writes nothing.
  let own = min(unit, params.H - 1u);
  var i = params.i;
  if (stacked && params.tail == 0u) {
    if (i < lane || i - lane >= params.steps) { return; }
    i -= lane;
  }
  let firstWeight = backwardMatrix(lane);
  // Rows past the batch read the last one; finish drops their sums.
  let starts = min(vec4(row, row + 1u, row + 2u, row + 3u), vec4(params.B - 1u)) * params.H;
  var sum = vec4<f32>();
  if (params.tail != 0u || i + 1u < params.steps) {
    let slot = stepAt(lane, select(i + 1u, 0u, params.tail != 0u)).gates + firstRead(own);
    sum = addGradients(slot + starts, true, fanIn(), firstWeight + own, unit, thread);
  }
  if (stacked && params.tail == 0u && lane + 1u < params.lanes) {
    let above = stepAt(lane + 1u, i).gates;
    sum += addGradients(above + starts, false, params.H, backwardMatrix(params.lanes + lane) + own, unit, thread);
  }
  if (unit >= params.H) { return; }
  let step = stepAt(lane, i);
  let perUnit = perUnitAt(firstWeight + matrixRows() * params.H + unit);
  finish(lane, step, row, unit, sum.x, perUnit);
  finish(lane, step, row + 1u, unit, sum.y, perUnit);
  finish(lane, step, row + 2u, unit, sum.z, perUnit);
  finish(lane, step, row + 3u, unit, sum.w, perUnit);
}
