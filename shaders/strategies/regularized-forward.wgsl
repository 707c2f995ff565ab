// Computes steps of a layer with normalisation, zoneout or dropout of h_{t-1}: statistics of both sides of the gates, the
// cell, statistics of its memory, the new state. The product U·h_{t-1} lies in `recurrent`, or is computed here (fused).
@group(0) @binding(0) var<storage, read_write> gates: array<PackedGates>;
@group(0) @binding(1) var<storage, read> weights: array<Weights>;
@group(0) @binding(2) var<storage, read_write> h: array<f32>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;
@group(0) @binding(4) var<storage, read> lengths: array<u32>;
@group(0) @binding(5) var<storage, read_write> recurrent: array<f32>;
@group(0) @binding(6) var<storage, read_write> masked: array<f32>;
@group(0) @binding(7) var<storage, read_write> running: array<f32>;
@group(0) @binding(8) var<uniform> random: vec4<u32>;
@group(1) @binding(0) var<uniform> params: Params;

fn multiply(lane: u32, step: Step, place: Place, row: u32, thread: u32) {
  let first = matrixOf(lane);
  let start = step.hPrevious + row * params.H;
  for (var unit = thread; unit < params.H; unit += threads) {
    var sum = PackedGates();
    for (var k = 0u; k < params.H; k++) {
      var hk = 0.0;
      if (drops) { hk = masked[start + k]; } else { hk = h[start + k]; }
      sum = multiplyAdd(hk, weightAt(first + k * params.H + unit), sum);
    }
    save(place.r + (row * params.H + unit) * gateCount, vectorOf(sum));
  }
}

fn finish(lane: u32, step: Step, element: Element, state: f32, hPrevious: f32, kept: f32) {
  let mixed = (1.0 - kept) * state + kept * hPrevious;
  h[step.hCurrent + element.at] = mixed;
  if (drops) { masked[step.hCurrent + element.at] = mixed * dropFactor(lane, element.at); }
}

@compute @workgroup_size(threads)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let group = workgroup.x;
  let lane = workgroup.z;
  let elements = elementCount();
  for (var i = params.i; i < params.i + params.count; i++) {
    let step = stepAt(lane, i);
    let place = placeOf(lane, group, step);
    let n = membersAt(step.t);
    if (fused) { multiply(lane, step, place, group, thread); }
    var mean = Sides();
    var scale = Sides(vec4(1.0), vec4(1.0));
    if (normalizes != 0u) {
      var sum = Sides();
      for (var e = thread; e < elements; e += threads) {
        let element = elementOf(group, e);
        if (!hasStep(element.row, step.t)) { continue; }
        sum = Sides(sum.x + vectorOf(gates[step.gates + element.at]), sum.r + load(place.r + element.at * gateCount));
      }
      mean = meansOf(fold(sum, thread), n);
      var squares = Sides();
      for (var e = thread; e < elements; e += threads) {
        let element = elementOf(group, e);
        if (!hasStep(element.row, step.t)) { continue; }
        let x = vectorOf(gates[step.gates + element.at]) - mean.x;
        let r = load(place.r + element.at * gateCount) - mean.r;
        squares = Sides(squares.x + x * x, squares.r + r * r);
      }
      var variance = meansOf(fold(squares, thread), n);
      if (params.statistics == 1u && thread == 0u) {
        keepSide(params.first + i, 0u, group, mean.x, variance.x, n);
        keepSide(params.first + i, 2u, group, mean.r, variance.r, n);
      }
      if (params.statistics == 2u) {
        mean = Sides(runningOf(params.first + i, 0u, group), runningOf(params.first + i, 2u, group));
        variance = Sides(runningOf(params.first + i, 1u, group), runningOf(params.first + i, 3u, group));
      }
      scale = Sides(inverseSqrt(variance.x + params.epsilon), inverseSqrt(variance.r + params.epsilon));
      if (thread < 4u) {
        recurrent[place.statistics + thread] = scale.x[thread];
        recurrent[place.statistics + 4u + thread] = scale.r[thread];
      }
    }
    var memories = Sides();
    for (var e = thread; e < elements; e += threads) {
      let element = elementOf(group, e);
      let hPrevious = h[step.hPrevious + element.at];
      var cPrevious = 0.0;
      if (usesC) { cPrevious = c[step.cPrevious + element.at]; }
      // A row that has ended (or, in reverse, not begun) keeps its state.
      if (!hasStep(element.row, step.t)) {
        if (usesC) { c[step.cCurrent + element.at] = cPrevious; }
        finish(lane, step, element, hPrevious, hPrevious, 0.0);
        continue;
      }
      let at = step.gates + element.at;
      var x = vectorOf(gates[at]);
      var r = load(place.r + element.at * gateCount);
      if (normalizes != 0u) {
        x = (x - mean.x) * scale.x;
        r = (r - mean.r) * scale.r;
        save(place.x + element.at * gateCount, x);
        save(place.r + element.at * gateCount, r);
        x = x * gain(lane, 0u, element.unit) + gain(lane, 1u, element.unit);
        r *= gain(lane, 2u, element.unit);
      }
      r += vectorOf(rowOfWeights(lane, 0u, element.unit));
      let out = cellForward(named(gatesOf(x)), named(gatesOf(r)), hPrevious, cPrevious, perUnitOf(lane, element.unit));
      gates[at] = packed(out.gates);
      let kept = remains(lane, step.t, element.at);
      if (hasMemory) { c[step.cCurrent + element.at] = (1.0 - kept.y) * out.c + kept.y * cPrevious; }
      else if (usesC) { c[step.cCurrent + element.at] = out.c; }
      if (normalizesMemory) { memories.x.x += stateOf(out.gates, hPrevious, cPrevious).y; }
      else { finish(lane, step, element, out.h, hPrevious, kept.x); }
    }
    if (normalizesMemory) { finishMemory(lane, group, i, step, place, n, memories, thread); }
    // The next product reads what all threads have written.
    if (fused) { storageBarrier(); }
  }
}

// Computes h from the normalised memory. The stored c is the one after zoneout, so c is made again from the gates.
fn finishMemory(lane: u32, group: u32, i: u32, step: Step, place: Place, n: f32, sum: Sides, thread: u32) {
  let elements = elementCount();
  var mean = fold(sum, thread).x.x / n;
  var squares = Sides();
  for (var e = thread; e < elements; e += threads) {
    let element = elementOf(group, e);
    if (!hasStep(element.row, step.t)) { continue; }
    let away = stateOf(named(gates[step.gates + element.at]), 0.0, c[step.cPrevious + element.at]).y - mean;
    squares.x.x += away * away;
  }
  var variance = fold(squares, thread).x.x / n;
  if (params.statistics == 1u && thread == 0u) {
    keep(runningAt(params.first + i, 4u * gateCount, group), mean, n);
    keep(runningAt(params.first + i, 4u * gateCount + 1u, group), variance * n / max(n - 1.0, 1.0), n);
  }
  if (params.statistics == 2u) {
    mean = running[runningAt(params.first + i, 4u * gateCount, group)];
    variance = running[runningAt(params.first + i, 4u * gateCount + 1u, group)];
  }
  let scale = inverseSqrt(variance + params.epsilon);
  if (thread == 0u) {
    recurrent[place.statistics + 8u] = mean;
    recurrent[place.statistics + 9u] = scale;
  }
  for (var e = thread; e < elements; e += threads) {
    let element = elementOf(group, e);
    if (!hasStep(element.row, step.t)) { continue; }
    let out = named(gates[step.gates + element.at]);
    let memory = stateOf(out, 0.0, c[step.cPrevious + element.at]).y;
    let parts = gain(lane, 3u, element.unit);
    let state = readOut(out, (memory - mean) * scale * parts.x + parts.y);
    finish(lane, step, element, state, h[step.hPrevious + element.at], remains(lane, step.t, element.at).x);
  }
}
