// BPTT of a two-phase cell's layer in one dispatch; tiles as in loop-forward. Each step has two products: first with
// the gates' gradients of the step that came after, then with the candidate's gradient of this step.
override threads: u32;

// [4 rows, threads]: the gates that threads share for the next product.
var<workgroup> handed: array<PackedGates, 4u * threads>;

fn products(phase: u32, firstWeight: u32, unit: u32) -> vec4<f32> {
  var sum = vec4<f32>();
  for (var k = 0u; k < params.H; k++) {
    let w = weightAt(firstWeight + k * params.H + unit);
    sum = vec4(
      dotGatesIn(phase, handed[k], w, sum.x), dotGatesIn(phase, handed[threads + k], w, sum.y),
      dotGatesIn(phase, handed[2u * threads + k], w, sum.z), dotGatesIn(phase, handed[3u * threads + k], w, sum.w));
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
