// BPTT of regularized-forward: from ∂L/∂h_t and ∂L/∂c_t it computes the gradients of both sides before their norms, and
// the gradient for the step before. The product dr_{t+1}·U lies in `carry`, or is computed here (fused). Each thread
// adds up the gradients of gains and biases for its own elements. The sums over the rows follow when all steps are
// done.
@group(0) @binding(0) var<storage, read_write> gates: array<PackedGates>;
@group(0) @binding(1) var<storage, read> weights: array<Weights>;
@group(0) @binding(2) var<storage, read> h: array<f32>;
@group(0) @binding(3) var<storage, read> c: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<f32>;
@group(0) @binding(5) var<storage, read_write> carry: array<f32>;
@group(0) @binding(6) var<storage, read_write> recurrent: array<f32>;
@group(0) @binding(7) var<storage, read> lengths: array<u32>;
@group(0) @binding(8) var<uniform> random: vec4<u32>;
@group(1) @binding(0) var<uniform> params: Params;

fn multiply(lane: u32, next: u32, row: u32, thread: u32) {
  let first = matrixOf(lane);
  let start = placeOf(lane, row, stepAt(lane, next)).r + row * params.H * gateCount;
  for (var unit = thread; unit < params.H; unit += threads) {
    var sum = 0.0;
    for (var k = 0u; k < params.H; k++) { sum = dotGates(gatesOf(load(start + k * gateCount)), weightAt(first + k * params.H + unit), sum); }
    carry[partOf(lane, 2u) + row * params.H + unit] = sum;
  }
}

@compute @workgroup_size(threads)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let group = workgroup.x;
  let lane = workgroup.z;
  let elements = elementCount();
  for (var n = 0u; n < params.count; n++) {
    let i = params.i + params.count - 1u - n;
    let step = stepAt(lane, i);
    let place = placeOf(lane, group, step);
    let members = membersAt(step.t);
    if (fused && i + 1u < params.steps) { multiply(lane, i + 1u, group, thread); }
    var ofMemory = vec4<f32>();
    if (normalizesMemory && params.statistics != 2u) {
      var sum = Sides();
      for (var e = thread; e < elements; e += threads) {
        let element = elementOf(group, e);
        if (!hasStep(element.row, step.t)) { continue; }
        let memory = memoryOf(lane, step, place, element, reaching(lane, step, element.at, true).h);
        sum.x += vec4(memory.gain * memory.dRead, memory.gain * memory.dRead * memory.normalized, 0.0, 0.0);
      }
      ofMemory = fold(sum, thread).x / members;
    }
    var sums = Sides();
    var products = Sides();
    for (var e = thread; e < elements; e += threads) {
      let element = elementOf(group, e);
      let at = step.gates + element.at;
      let alive = hasStep(element.row, step.t);
      let reach = reaching(lane, step, element.at, alive);
      let pair = partOf(lane, 0u) + 2u * element.at;
      carry[partOf(lane, 2u) + element.at] = 0.0;
      carry[pair] = reach.hBeside;
      carry[pair + 1u] = reach.cBeside;
      // A row that lacks the step passes its gradient on, and in a gap also the repeated output's. Its gates had no part in it.
      if (!alive) {
        if (hasGaps) { carry[pair] += dy[step.dy + element.at]; }
        gates[at] = PackedGates();
        save(place.r + element.at * gateCount, vec4<f32>());
        continue;
      }
      let hPrevious = h[step.hPrevious + element.at];
      var cPrevious = 0.0;
      if (usesC) { cPrevious = c[step.cPrevious + element.at]; }
      let perUnit = perUnitOf(lane, element.unit);
      var out = CellBackward();
      if (normalizesMemory) {
        let memory = memoryOf(lane, step, place, element, reach.h);
        let dMemory = recurrent[place.statistics + 9u] * (memory.gain * memory.dRead - ofMemory.x - memory.normalized * ofMemory.y);
        out = gatesBackward(named(gates[at]), cPrevious, memory.dOutput, reach.c + dMemory, perUnit);
        carry[partOf(lane, 3u + 5u * gateCount) + element.at] += memory.dRead * memory.normalized;
        carry[partOf(lane, 4u + 5u * gateCount) + element.at] += memory.dRead;
      } else {
        // Zoneout may have kept h or c, so the cell's own results are computed again.
        var made = vec2(h[step.hCurrent + element.at], 0.0);
        if (usesC) { made.y = c[step.cCurrent + element.at]; }
        if (zones) {
          let own = stateOf(named(gates[at]), hPrevious, cPrevious);
          made = vec2(own.x, select(made.y, own.y, hasMemory));
        }
        out = cellBackward(named(gates[at]), hPrevious, made.x, cPrevious, made.y, reach.h, reach.c, perUnit);
      }
      carry[pair] += out.dhPrevious;
      carry[pair + 1u] += out.dcPrevious;
      gates[at] = packed(out.dGates);
      let dx = vectorOf(packed(out.dGates));
      let dr = vectorOf(packed(out.dRecurrent));
      if (normalizes == 0u) {
        save(place.r + element.at * gateCount, dr);
        continue;
      }
      let x = load(place.x + element.at * gateCount);
      let r = load(place.r + element.at * gateCount);
      addTo(lane, 0u, element.at, dx * x);
      addTo(lane, 1u, element.at, dx);
      addTo(lane, 2u, element.at, dr * r);
      addTo(lane, 3u, element.at, dr);
      let beforeNorm = partOf(lane, 3u + 4u * gateCount) + element.at * gateCount;
      for (var g = 0u; g < gateCount; g++) { carry[beforeNorm + g] = dr[g]; }
      let gx = dx * gain(lane, 0u, element.unit);
      let gr = dr * gain(lane, 2u, element.unit);
      sums = Sides(sums.x + gx, sums.r + gr);
      products = Sides(products.x + gx * x, products.r + gr * r);
    }
    if (normalizes != 0u) { passNorms(lane, group, step, place, members, sums, products, thread); }
    // The next product reads what all threads have written.
    if (fused) { storageBarrier(); }
  }
  if (params.tail != 0u) {
    if (fused) { multiply(lane, 0u, group, thread); }
    for (var e = thread; e < elements; e += threads) {
      let element = elementOf(group, e);
      let reach = reaching(lane, stepAt(lane, 0u), element.at, false);
      carry[partOf(lane, 0u) + 2u * element.at] = reach.hBeside;
      carry[partOf(lane, 2u) + element.at] = 0.0;
    }
  }
}

// The gradient of y = (x - mean)·scale from ∂L/∂y: scale·(∂L/∂y - its mean - y·mean(∂L/∂y·y)). With running statistics
// it is scale·∂L/∂y.
fn passNorms(lane: u32, group: u32, step: Step, place: Place, members: f32, sums: Sides, products: Sides, thread: u32) {
  var mean = Sides();
  var product = Sides();
  if (params.statistics != 2u) {
    mean = meansOf(fold(sums, thread), members);
    product = meansOf(fold(products, thread), members);
  }
  let elements = elementCount();
  for (var e = thread; e < elements; e += threads) {
    let element = elementOf(group, e);
    if (!hasStep(element.row, step.t)) { continue; }
    let side = element.at * gateCount;
    let first = partOf(lane, 3u + 4u * gateCount) + side;
    var dr = vec4<f32>();
    for (var g = 0u; g < gateCount; g++) { dr[g] = carry[first + g]; }
    let gx = vectorOf(gates[step.gates + element.at]) * gain(lane, 0u, element.unit);
    let gr = dr * gain(lane, 2u, element.unit);
    gates[step.gates + element.at] = gatesOf(load(place.statistics) * (gx - mean.x - load(place.x + side) * product.x));
    save(place.r + side, load(place.statistics + 4u) * (gr - mean.r - load(place.r + side) * product.r));
  }
}
