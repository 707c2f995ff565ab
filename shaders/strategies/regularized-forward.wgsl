// Computes steps of a layer with normalisation, zoneout or dropout of h_{t-1}: statistics of both sides of the gates, the
// cell, statistics of its memory, the new state. The product U·h_{t-1} lies in `recurrent`, or is computed here (fused).
@compute @workgroup_size(threads)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let group = workgroup.x;
  let lane = workgroup.z;
  let elements = elementCount();
  let own = elementOf(group, thread);
  if (fused) {
    beginProducts(lane, thread);
    if (thread < elements) {
      kept.h = loadH(stepAt(lane, params.i), own);
      kept.c = loadC(stepAt(lane, params.i), own);
    }
  }
  for (var i = params.i; i < params.i + params.count; i++) {
    let step = stepAt(lane, i);
    let place = placeOf(lane, group, step);
    let n = membersAt(step.t);
    if (fused) { computeSides(lane, step, place, own, thread < elements, thread); }
    var mean = Sides();
    var scale = Sides(vec4(1.0), vec4(1.0));
    if (normalizes != 0u) {
      var sum = Sides();
      for (var e = thread; e < elements; e += threads) {
        let element = elementOf(group, e);
        if (hasStep(element.row, step.t)) {
          let sides = sidesOf(step, place, element);
          sum = Sides(sum.x + sides.x, sum.r + sides.r);
        }
        if (fused) { break; }
      }
      mean = meansOf(sum, n, thread);
      var squares = Sides();
      for (var e = thread; e < elements; e += threads) {
        let element = elementOf(group, e);
        if (hasStep(element.row, step.t)) {
          let sides = sidesOf(step, place, element);
          let x = sides.x - mean.x;
          let r = sides.r - mean.r;
          squares = Sides(squares.x + x * x, squares.r + r * r);
        }
        if (fused) { break; }
      }
      var variance = meansOf(squares, n, thread);
      if (statisticsAre(1u) && thread == 0u) {
        keepSide(params.first + i, 0u, group, mean.x, variance.x, n);
        keepSide(params.first + i, 2u, group, mean.r, variance.r, n);
      }
      if (statisticsAre(2u)) {
        mean = Sides(runningOf(params.first + i, 0u, group), runningOf(params.first + i, 2u, group));
        variance = Sides(runningOf(params.first + i, 1u, group), runningOf(params.first + i, 3u, group));
      }
      scale = Sides(inverseSqrt(variance.x + params.epsilon), inverseSqrt(variance.r + params.epsilon));
      if (thread == 0u) {
        for (var g = 0u; g < 4u; g++) {
          recurrent[place.statistics + g] = scale.x[g];
          recurrent[place.statistics + 4u + g] = scale.r[g];
        }
      }
    }
    var memories = Sides();
    for (var e = thread; e < elements; e += threads) {
      memories.x.x += advance(lane, step, place, elementOf(group, e), mean, scale);
      if (fused) { break; }
    }
    if (normalizesMemory) { finishMemory(lane, group, i, step, place, n, memories, thread); }
  }
}
