// BPTT of a two-phase cell's layer in one dispatch; tiles as in loop-forward. Each step has two products: first with
// the gates' gradients of the step that came after, then with the candidate's gradient of this step.
override threads: u32;
struct Params { lanes: u32, T: u32, B: u32, H: u32, reverse: u32, hBase: u32, first: u32, steps: u32, tail: u32 }
@group(0) @binding(0) var<storage, read_write> gates: array<PackedGates>;
@group(0) @binding(1) var<storage, read> weights: array<Weights>;
@group(0) @binding(2) var<storage, read> h: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read_write> carry: array<vec2<f32>>;
@group(0) @binding(5) var<storage, read> lengths: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

// [4 rows, threads]: the gates that threads share for the next product.
var<workgroup> handed: array<PackedGates, 4u * threads>;

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

fn first(row: u32, unit: u32, step: Step, product: f32, before: Row) -> Row {
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

fn second(row: u32, unit: u32, step: Step, product: f32, before: Row) -> Row {
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

fn products(phase: u32, firstWeight: u32, unit: u32) -> vec4<f32> {
  var sum = vec4<f32>();
  for (var k = 0u; k < params.H; k++) {
    let w = weightAt(firstWeight + k * params.H + unit);
    sum = vec4(
      dotGates(phase, handed[k], w, sum.x), dotGates(phase, handed[threads + k], w, sum.y),
      dotGates(phase, handed[2u * threads + k], w, sum.z), dotGates(phase, handed[3u * threads + k], w, sum.w));
  }
  return sum;
}

@compute @workgroup_size(threads)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) unit: u32) {
  let row = group.x * 4u;
  let lane = group.z;
  let firstWeight = laneStart(lane, params.H * params.H);
  let within = unit < params.H;
  var row0 = load(lane, row, unit);
  var row1 = load(lane, row + 1u, unit);
  var row2 = load(lane, row + 2u, unit);
  var row3 = load(lane, row + 3u, unit);
  // Each step has two halves; a tail is a first half without a step.
  for (var half = 0u; half < 2u * params.steps + params.tail; half++) {
    let i = half / 2u;
    let phase = half % 2u;
    // After this barrier, all threads have read what is overwritten next.
    workgroupBarrier();
    handed[unit] = row0.gates;
    handed[threads + unit] = row1.gates;
    handed[2u * threads + unit] = row2.gates;
    handed[3u * threads + unit] = row3.gates;
    workgroupBarrier();
    if (within && i == params.steps) {
      let product = products(0u, firstWeight, unit);
      row0.dh += product.x;
      row1.dh += product.y;
      row2.dh += product.z;
      row3.dh += product.w;
    } else if (within && phase == 0u) {
      let step = stepAt(lane, params.steps - 1u - i);
      let product = products(0u, firstWeight, unit);
      row0 = first(row, unit, step, product.x, row0);
      row1 = first(row + 1u, unit, step, product.y, row1);
      row2 = first(row + 2u, unit, step, product.z, row2);
      row3 = first(row + 3u, unit, step, product.w, row3);
    } else if (within) {
      let step = stepAt(lane, params.steps - 1u - i);
      let product = products(1u, firstWeight, unit);
      row0 = second(row, unit, step, product.x, row0);
      row1 = second(row + 1u, unit, step, product.y, row1);
      row2 = second(row + 2u, unit, step, product.z, row2);
      row3 = second(row + 3u, unit, step, product.w, row3);
    }
  }
  store(lane, row, unit, row0);
  store(lane, row + 1u, unit, row1);
  store(lane, row + 2u, unit, row2);
  store(lane, row + 3u, unit, row3);
}
