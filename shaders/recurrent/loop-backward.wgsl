// BPTT of a recurrent layer in one dispatch, over the steps in reverse; tiles as in loop-forward. A thread carries
// ∂L/∂h and ∂L/∂c of its unit in registers; the recurrent product reads all units' gate gradients of the step that
// came after through workgroup memory.
override threads: u32;
override rows: u32;
struct Params { T: u32, B: u32, H: u32, reverse: u32, hBase: u32, tail: u32 }
@group(0) @binding(0) var<storage, read_write> gates: array<Gates>;
@group(0) @binding(1) var<storage, read> weights: array<Gates>;
@group(0) @binding(2) var<storage, read> h: array<f32>;
@group(0) @binding(3) var<storage, read> c: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<f32>;
@group(0) @binding(5) var<storage, read_write> carry: array<vec2<f32>>;
@group(0) @binding(6) var<storage, read_write> dRecurrent: array<Gates>;
@group(0) @binding(7) var<storage, read> lengths: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

// [4 rows, 256 units]: 16 KiB for a cell of four gates, the least that every device has.
var<workgroup> following: array<Gates, 1024>;

struct Step { dRecurrent: Gates, carry: vec2<f32> }

fn retreat(row: u32, unit: u32, t: u32, previousSlot: u32, currentSlot: u32, product: f32, carried: vec2<f32>) -> Step {
  if (row >= params.B) { return Step(); }
  let cell = row * params.H + unit;
  let at = t * params.B * params.H + cell;
  var dh = product + carried.x;
  // A row that has ended passes its gradient on; its gates had no part in it.
  if (t >= lengths[row]) {
    gates[at] = Gates();
    if (splitsRecurrentGradient) { dRecurrent[at] = Gates(); }
    return Step(Gates(), vec2(dh, carried.y));
  }
  dh += dy[at];
  let previous = previousSlot * params.B * params.H + cell;
  let current = currentSlot * params.B * params.H + cell;
  var cPrevious = 0.0;
  var cCurrent = 0.0;
  if (usesC) {
    cPrevious = c[previous];
    cCurrent = c[current];
  }
  let out = cellBackward(gates[at], h[params.hBase + previous], h[params.hBase + current], cPrevious, cCurrent, dh, carried.y);
  gates[at] = out.dGates;
  if (splitsRecurrentGradient) { dRecurrent[at] = out.dRecurrent; }
  return Step(out.dRecurrent, vec2(out.dhPrevious, out.dcPrevious));
}

fn loadCarry(row: u32, unit: u32) -> vec2<f32> {
  if (row >= params.B || unit >= params.H) { return vec2<f32>(); }
  return carry[row * params.H + unit];
}

fn storeCarry(row: u32, unit: u32, value: vec2<f32>) {
  if (row < params.B && unit < params.H) { carry[row * params.H + unit] = value; }
}

@compute @workgroup_size(threads)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) unit: u32) {
  let row = group.x * rows;
  var step0 = Step(Gates(), loadCarry(row, unit));
  var step1 = Step(Gates(), loadCarry(row + 1u, unit));
  var step2 = Step(Gates(), loadCarry(row + 2u, unit));
  var step3 = Step(Gates(), loadCarry(row + 3u, unit));
  for (var i = 0u; i < params.T + params.tail; i++) {
    // Everyone has read what is overwritten here.
    workgroupBarrier();
    following[unit] = step0.dRecurrent;
    if (rows > 1u) {
      following[256u + unit] = step1.dRecurrent;
      following[512u + unit] = step2.dRecurrent;
      following[768u + unit] = step3.dRecurrent;
    }
    workgroupBarrier();
    if (unit < params.H) {
      var sum = vec4<f32>();
      if (i > 0u) {
        for (var k = 0u; k < params.H; k++) {
          let w = weights[k * params.H + unit];
          sum.x += dotGates(following[k], w);
          if (rows > 1u) {
            sum.y += dotGates(following[256u + k], w);
            sum.z += dotGates(following[512u + k], w);
            sum.w += dotGates(following[768u + k], w);
          }
        }
      }
      if (i == params.T) {
        step0.carry.x += sum.x;
        step1.carry.x += sum.y;
        step2.carry.x += sum.z;
        step3.carry.x += sum.w;
      } else {
        let t = select(params.T - 1u - i, i, params.reverse != 0u);
        let previousSlot = select(t, t + 1u, params.reverse != 0u);
        let currentSlot = select(t + 1u, t, params.reverse != 0u);
        step0 = retreat(row, unit, t, previousSlot, currentSlot, sum.x, step0.carry);
        if (rows > 1u) {
          step1 = retreat(row + 1u, unit, t, previousSlot, currentSlot, sum.y, step1.carry);
          step2 = retreat(row + 2u, unit, t, previousSlot, currentSlot, sum.z, step2.carry);
          step3 = retreat(row + 3u, unit, t, previousSlot, currentSlot, sum.w, step3.carry);
        }
      }
    }
  }
  storeCarry(row, unit, step0.carry);
  if (rows > 1u) {
    storeCarry(row + 1u, unit, step1.carry);
    storeCarry(row + 2u, unit, step2.carry);
    storeCarry(row + 3u, unit, step3.carry);
  }
}
