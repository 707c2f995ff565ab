// BPTT of a recurrent layer in one dispatch, over the steps in reverse, for GPUs. Threads and rows as in
// loop-forward-shared. The threads that finish a row keep ∂L/∂h and ∂L/∂c of their unit in registers.
@compute @workgroup_size(threads)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let share = thread / units;
  let unit = thread % units;
  let lane = group.z;
  let row = group.x * rows + share;
  let firstWeight = backwardMatrix(lane);
  // A thread past H reads the last unit and keeps nothing.
  let own = min(unit, params.H - 1u);
  hold(share, fanIn(), firstWeight + own);
  let perUnit = perUnitAt(firstWeight + matrixRows() * params.H + own);
  let finishes = share < rows && unit < params.H;
  var one = Row();
  if (finishes) { one = loadRow(lane, row, unit); }
  for (var i = 0u; i < params.steps + params.tail; i++) {
    if (share < rows) { putGradient(share, unit, one.dRecurrent); }
    workgroupBarrier();
    var sums = Sums();
    if (i > 0u) { sums = addShare(share, fanIn(), firstWeight + own, sums); }
    let product = fold(sums, thread);
    if (finishes) {
      if (i == params.steps) {
        one.carry.h += product;
      } else {
        one = retreat(row, unit, stepAt(lane, params.steps - 1u - i), product, one.carry, perUnit);
      }
    }
  }
  if (finishes) { storeCarry(lane, row, unit, one.carry); }
}
