// BPTT of a recurrent layer in one dispatch, over the steps in reverse; tiles as in loop-forward. A thread carries
// ∂L/∂h and ∂L/∂c of its unit in registers. The recurrent product reads all units' gate gradients of the step that came
// after from workgroup memory.
override threads: u32;
override rows: u32;
override tileUnits: u32;
// Elements of the tile as an array. Firefox (naga) crashes on an array whose length is a product or quotient of overrides.
override tileLength: u32;
struct Params { lanes: u32, T: u32, B: u32, H: u32, reverse: u32, hBase: u32, first: u32, steps: u32, tail: u32 }
@group(0) @binding(0) var<storage, read_write> gates: array<PackedGates>;
@group(0) @binding(1) var<storage, read> weights: array<Weights>;
@group(0) @binding(2) var<storage, read> h: array<f32>;
@group(0) @binding(3) var<storage, read> c: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<f32>;
@group(0) @binding(5) var<storage, read_write> carry: array<Carry>;
@group(0) @binding(6) var<storage, read_write> dRecurrent: array<PackedGates>;
@group(0) @binding(7) var<storage, read> lengths: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

struct Row { dRecurrent: PackedGates, carry: Carry }

fn retreat(row: u32, unit: u32, step: Step, product: f32, carried: Carry, perUnit: Gates) -> Row {
  if (row >= params.B) { return Row(); }
  let cell = row * params.H + unit;
  let at = step.gates + cell;
  var dh = product + carried.h;
  // A row that lacks the step passes its gradient on, and in a gap also the repeated output's. Its gates had no part in it.
  if (!hasStep(row, step.t)) {
    gates[at] = PackedGates();
    if (splitsRecurrentGradient) { dRecurrent[at] = PackedGates(); }
    if (hasGaps) { dh += dy[step.dy + cell]; }
    return Row(PackedGates(), Carry(dh, carried.c));
  }
  dh += dy[step.dy + cell];
  let cPrevious = loadMemory(step.cPrevious + cell);
  let cCurrent = loadMemory(step.cCurrent + cell);
  let out = cellBackward(named(gates[at]), h[step.hPrevious + cell], h[step.hCurrent + cell], cPrevious, cCurrent, dh, carried.c, perUnit);
  gates[at] = packed(out.dGates);
  if (splitsRecurrentGradient) { dRecurrent[at] = packed(out.dRecurrent); }
  return Row(packed(out.dRecurrent), Carry(out.dhPrevious, out.dcPrevious));
}

fn carryAt(lane: u32, row: u32, unit: u32) -> u32 { return laneStart(lane, params.B * params.H) + row * params.H + unit; }

fn loadRow(lane: u32, row: u32, unit: u32) -> Row {
  if (row >= params.B || unit >= params.H) { return Row(); }
  return Row(PackedGates(), carry[carryAt(lane, row, unit)]);
}

fn storeCarry(lane: u32, row: u32, unit: u32, value: Carry) {
  if (row < params.B && unit < params.H) { carry[carryAt(lane, row, unit)] = value; }
}

@compute @workgroup_size(threads)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) unit: u32) {
  let row = group.x * rows;
  let lane = group.z;
  let firstWeight = backwardMatrix(lane);
  let perUnit = perUnitAt(firstWeight + matrixRows() * params.H + min(unit, params.H - 1u));
  var row0 = loadRow(lane, row, unit);
  var row1 = loadRow(lane, row + 1u, unit);
  var row2 = loadRow(lane, row + 2u, unit);
  var row3 = loadRow(lane, row + 3u, unit);
  for (var i = 0u; i < params.steps + params.tail; i++) {
    // After this barrier, all threads have read what is overwritten next.
    workgroupBarrier();
    putGradients(unit, 0u, row0.dRecurrent);
    if (rows > 1u) {
      putGradients(unit, 1u, row1.dRecurrent);
      putGradients(unit, 2u, row2.dRecurrent);
      putGradients(unit, 3u, row3.dRecurrent);
    }
    workgroupBarrier();
    if (unit < params.H) {
      var sum = vec4<f32>();
      if (i > 0u) { sum = addProducts(firstRead(unit), fanIn(), firstWeight + unit, sum); }
      if (i == params.steps) {
        row0.carry.h += sum.x;
        row1.carry.h += sum.y;
        row2.carry.h += sum.z;
        row3.carry.h += sum.w;
      } else {
        let step = stepAt(lane, params.steps - 1u - i);
        row0 = retreat(row, unit, step, sum.x, row0.carry, perUnit);
        if (rows > 1u) {
          row1 = retreat(row + 1u, unit, step, sum.y, row1.carry, perUnit);
          row2 = retreat(row + 2u, unit, step, sum.z, row2.carry, perUnit);
          row3 = retreat(row + 3u, unit, step, sum.w, row3.carry, perUnit);
        }
      }
    }
  }
  storeCarry(lane, row, unit, row0.carry);
  if (rows > 1u) {
    storeCarry(lane, row + 1u, unit, row1.carry);
    storeCarry(lane, row + 2u, unit, row2.carry);
    storeCarry(lane, row + 3u, unit, row3.carry);
  }
}
