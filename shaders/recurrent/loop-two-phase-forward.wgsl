// The whole time loop of a layer whose candidate needs a recurrent product of its own; tiles as in loop-forward.
// First the gates from everybody's h, then the candidate from everybody's operand.
override threads: u32;
struct Params { T: u32, B: u32, H: u32, reverse: u32, hBase: u32 }
@group(0) @binding(0) var<storage, read_write> gates: array<Gates>;
@group(0) @binding(1) var<storage, read> weights: array<Gates>;
@group(0) @binding(2) var<storage, read> bias: array<Gates>;
@group(0) @binding(3) var<storage, read_write> h: array<f32>;
@group(0) @binding(4) var<storage, read_write> c: array<f32>;
@group(0) @binding(5) var<storage, read> lengths: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

// Of the four rows, by unit. Each is written while the other is read, so one barrier apiece is enough.
var<workgroup> states: array<vec4<f32>, 256>;
var<workgroup> operands: array<vec4<f32>, 256>;

fn activeAt(row: u32, t: u32) -> bool { return row < params.B && t < lengths[min(row, params.B - 1u)]; }

fn initial(row: u32, unit: u32, slot: u32) -> f32 {
  if (row >= params.B || unit >= params.H) { return 0.0; }
  return h[params.hBase + (slot * params.B + row) * params.H + unit];
}

fn first(row: u32, unit: u32, t: u32, slot: u32, recurrent: Gates, hPrevious: f32) -> f32 {
  if (row >= params.B) { return 0.0; }
  let cell = row * params.H + unit;
  var out = FirstForward();
  if (activeAt(row, t)) {
    let at = t * params.B * params.H + cell;
    out = firstForward(gates[at], recurrent, hPrevious);
    gates[at] = out.gates;
  }
  c[slot * params.B * params.H + cell] = out.operand;
  return out.operand;
}

fn second(row: u32, unit: u32, t: u32, slot: u32, recurrent: Gates, hPrevious: f32) -> f32 {
  if (row >= params.B) { return 0.0; }
  let cell = row * params.H + unit;
  var state = hPrevious;
  if (activeAt(row, t)) {
    let at = t * params.B * params.H + cell;
    let out = secondForward(gates[at], recurrent, hPrevious);
    gates[at] = out.gates;
    state = out.h;
  }
  h[params.hBase + slot * params.B * params.H + cell] = state;
  return state;
}

@compute @workgroup_size(threads)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) unit: u32) {
  let row = group.x * 4u;
  let firstSlot = select(0u, params.T, params.reverse != 0u);
  var state = vec4(initial(row, unit, firstSlot), initial(row + 1u, unit, firstSlot), initial(row + 2u, unit, firstSlot), initial(row + 3u, unit, firstSlot));
  for (var i = 0u; i < params.T; i++) {
    let t = select(i, params.T - 1u - i, params.reverse != 0u);
    let slot = select(i + 1u, t, params.reverse != 0u);
    states[unit] = state;
    workgroupBarrier();
    var sum0 = Gates();
    var sum1 = Gates();
    var sum2 = Gates();
    var sum3 = Gates();
    var operand = vec4<f32>();
    if (unit < params.H) {
      sum0 = bias[unit];
      sum1 = sum0;
      sum2 = sum0;
      sum3 = sum0;
      for (var k = 0u; k < params.H; k++) {
        let w = weights[k * params.H + unit];
        let hk = states[k];
        sum0 = multiplyAdd(0u, hk.x, w, sum0);
        sum1 = multiplyAdd(0u, hk.y, w, sum1);
        sum2 = multiplyAdd(0u, hk.z, w, sum2);
        sum3 = multiplyAdd(0u, hk.w, w, sum3);
      }
      operand = vec4(
        first(row, unit, t, slot, sum0, state.x), first(row + 1u, unit, t, slot, sum1, state.y),
        first(row + 2u, unit, t, slot, sum2, state.z), first(row + 3u, unit, t, slot, sum3, state.w));
    }
    operands[unit] = operand;
    workgroupBarrier();
    if (unit < params.H) {
      for (var k = 0u; k < params.H; k++) {
        let w = weights[k * params.H + unit];
        let q = operands[k];
        sum0 = multiplyAdd(1u, q.x, w, sum0);
        sum1 = multiplyAdd(1u, q.y, w, sum1);
        sum2 = multiplyAdd(1u, q.z, w, sum2);
        sum3 = multiplyAdd(1u, q.w, w, sum3);
      }
      state = vec4(
        second(row, unit, t, slot, sum0, state.x), second(row + 1u, unit, t, slot, sum1, state.y),
        second(row + 2u, unit, t, slot, sum2, state.z), second(row + 3u, unit, t, slot, sum3, state.w));
    }
  }
}
