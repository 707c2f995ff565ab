// Runs the whole time loop of a recurrent layer in one dispatch. A workgroup owns four rows of the batch (or one) in
// one lane; a thread owns one unit in all of them. Its own states stay in registers, the others' come from workgroup
// memory.
override threads: u32;
override rows: u32;
// The tile holds h of all units twice, for even and for odd steps, so that one barrier per step is enough.
override tileUnits: u32;
// Elements of the tile as an array. Firefox (naga) crashes on an array whose length is a product or quotient of overrides.
override tileLength: u32;

@compute @workgroup_size(threads)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) unit: u32) {
  let row = group.x * rows;
  let lane = group.z;
  let firstWeight = forwardMatrix(lane);
  let perUnit = perUnitAt(firstWeight + (matrixRows() + 1u) * params.H + min(unit, params.H - 1u));
  let before = stepAt(lane, 0u);
  var state0 = initial(row, unit, before);
  var state1 = initial(row + 1u, unit, before);
  var state2 = initial(row + 2u, unit, before);
  var state3 = initial(row + 3u, unit, before);
  for (var i = 0u; i < params.steps; i++) {
    let copy = (i & 1u) * threads;
    putStates(copy + unit, vec4(state0.h, state1.h, state2.h, state3.h));
    workgroupBarrier();
    if (unit < params.H) {
      let bias = biasAt(firstWeight, unit);
      let sums = addProducts(copy + firstRead(unit), fanIn(), firstWeight + unit, Sums(bias, bias, bias, bias));
      let step = stepAt(lane, i);
      state0 = advance(row, unit, step, inputAt(row, unit, step), sums.row0, state0, perUnit);
      if (rows > 1u) {
        state1 = advance(row + 1u, unit, step, inputAt(row + 1u, unit, step), sums.row1, state1, perUnit);
        state2 = advance(row + 2u, unit, step, inputAt(row + 2u, unit, step), sums.row2, state2, perUnit);
        state3 = advance(row + 3u, unit, step, inputAt(row + 3u, unit, step), sums.row3, state3, perUnit);
      }
    }
  }
}
