// BPTT of a recurrent layer in one dispatch, over the steps in reverse; tiles as in loop-forward. A thread carries
// ∂L/∂h and ∂L/∂c of its unit in registers. The recurrent product reads all units' gate gradients of the step that came
// after from workgroup memory.
override threads: u32;
override rows: u32;
override tileUnits: u32;
// Elements of the tile as an array. Firefox (naga) crashes on an array whose length is a product or quotient of overrides.
override tileLength: u32;

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
