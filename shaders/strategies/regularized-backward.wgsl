// BPTT of regularized-forward: from ∂L/∂h_t and ∂L/∂c_t it computes the gradients of both sides before their norms, and
// the gradient for the step before. The product dr_{t+1}·U lies in `carry`, or is computed here (fused). Each thread
// adds up the gradients of gains and biases for its own elements. The sums over the rows follow when all steps are
// done.

// Of the gradients before the norms of a step, and of their products with the normalised sides.
var<private> sums: Sides;
var<private> products: Sides;

@compute @workgroup_size(threads)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let group = workgroup.x;
  let lane = workgroup.z;
  let elements = elementCount();
  let own = elementOf(group, thread).at;
  if (fused) {
    beginProducts(lane, thread);
    if (thread < elements) { kept.carried = loadCarried(lane, own); }
  }
  for (var n = 0u; n < params.count; n++) {
    let i = params.i + params.count - 1u - n;
    let step = stepAt(lane, i);
    let place = placeOf(lane, group, step);
    let members = membersAt(step.t);
    if (fused && i + 1u < params.steps) { kept.carried.product = multiply(lane, gatesOf(kept.d.r), thread); }
    var ofMemory = vec4<f32>();
    if (normalizesMemory && !statisticsAre(2u)) { ofMemory = foldSides(memorySums(lane, group, step, place, thread), thread).x / members; }
    sums = Sides();
    products = Sides();
    for (var e = thread; e < elements; e += threads) {
      let element = elementOf(group, e);
      if (hasStep(element.row, step.t)) { retreat(lane, step, place, element, ofMemory.xy); } else { skipStep(lane, step, place, element); }
      if (fused) { break; }
    }
    if (normalizes != 0u) { passNorms(lane, group, step, place, members, thread); }
  }
  if (params.tail != 0u) {
    if (fused) { kept.carried.product = multiply(lane, gatesOf(kept.d.r), thread); }
    for (var e = thread; e < elements; e += threads) {
      let at = elementOf(group, e).at;
      var one = carriedOf(lane, at);
      one.dh = reaching(lane, stepAt(lane, 0u), at, false, one).hBeside;
      one.product = 0.0;
      carryOn(lane, at, one);
      if (fused) { break; }
    }
  }
  if (fused && thread < elements) { storeCarried(lane, own, kept.carried); }
}

// What the norm of the memory takes from the gradient: its mean, and that of its product with the normalised memory.
fn memorySums(lane: u32, group: u32, step: StepPlaces, place: Place, thread: u32) -> Sides {
  var sum = Sides();
  let elements = elementCount();
  for (var e = thread; e < elements; e += threads) {
    let element = elementOf(group, e);
    if (hasStep(element.row, step.t)) {
      let dh = reaching(lane, step, element.at, true, carriedOf(lane, element.at)).h;
      let memory = computeMemory(lane, step, place, element, dh);
      kept.memory = memory;
      sum.x += vec4(memory.gain * memory.dRead, memory.gain * memory.dRead * memory.normalized, 0.0, 0.0);
    }
    if (fused) { break; }
  }
  return sum;
}

// The cell of one element, backwards. It leaves the gradients of both sides before their norms.
fn retreat(lane: u32, step: StepPlaces, place: Place, element: Element, ofMemory: vec2<f32>) {
  let at = step.gates + element.at;
  var one = carriedOf(lane, element.at);
  let reach = reaching(lane, step, element.at, true, one);
  let hPrevious = h[step.hPrevious + element.at];
  var cPrevious = 0.0;
  if (usesC) { cPrevious = c[step.cPrevious + element.at]; }
  let perUnit = perUnitOf(lane, element.unit);
  let activated = named(gates[at]);
  var out = CellBackward();
  if (normalizesMemory) {
    let memory = memoryOf(lane, step, place, element, reach.h);
    let dMemory = recurrent[place.statistics + 9u] * (memory.gain * memory.dRead - ofMemory.x - memory.normalized * ofMemory.y);
    out = gatesBackward(activated, cPrevious, memory.dOutput, reach.c + dMemory, perUnit);
    carry[partOf(lane, 3u + 5u * gateCount) + element.at] += memory.dRead * memory.normalized;
    carry[partOf(lane, 4u + 5u * gateCount) + element.at] += memory.dRead;
  } else {
    // Zoneout may have kept h or c, so the cell's own results are computed again.
    var made = vec2(h[step.hCurrent + element.at], 0.0);
    if (usesC) { made.y = c[step.cCurrent + element.at]; }
    if (zones) {
      let ownState = stateOf(activated, hPrevious, cPrevious);
      made = vec2(ownState.x, select(made.y, ownState.y, hasMemory));
    }
    out = cellBackward(activated, hPrevious, made.x, cPrevious, made.y, reach.h, reach.c, perUnit);
  }
  one.dh = reach.hBeside + out.dhPrevious;
  one.dc = reach.cBeside + out.dcPrevious;
  one.product = 0.0;
  let d = Sides(vectorOf(packed(out.dGates)), vectorOf(packed(out.dRecurrent)));
  gates[at] = packed(out.dGates);
  kept.d = d;
  if (normalizes == 0u) {
    save(place.r + element.at * gateCount, d.r);
  } else {
    let sides = Sides(load(place.x + element.at * gateCount), load(place.r + element.at * gateCount));
    addToGains(lane, element.at, d, sides);
    saveGates(gatesPart(lane, 4u, element.at), d.r);
    kept.sides = sides;
    let g = Sides(d.x * gain(lane, 0u, element.unit), d.r * gain(lane, 2u, element.unit));
    sums = Sides(sums.x + g.x, sums.r + g.r);
    products = Sides(products.x + g.x * sides.x, products.r + g.r * sides.r);
  }
  carryOn(lane, element.at, one);
}

// The gradient of y = (x - mean)·scale from ∂L/∂y: scale·(∂L/∂y - its mean - y·mean(∂L/∂y·y)). With running statistics
// it is scale·∂L/∂y.
fn passNorms(lane: u32, group: u32, step: StepPlaces, place: Place, members: f32, thread: u32) {
  var mean = Sides();
  var product = Sides();
  if (!statisticsAre(2u)) {
    mean = meansOf(sums, members, thread);
    product = meansOf(products, members, thread);
  }
  let elements = elementCount();
  for (var e = thread; e < elements; e += threads) {
    let element = elementOf(group, e);
    if (hasStep(element.row, step.t)) {
      let side = element.at * gateCount;
      if (!fused) {
        kept.d = Sides(vectorOf(gates[step.gates + element.at]), loadGates(gatesPart(lane, 4u, element.at)));
        kept.sides = Sides(load(place.x + side), load(place.r + side));
      }
      let gx = kept.d.x * gain(lane, 0u, element.unit);
      let gr = kept.d.r * gain(lane, 2u, element.unit);
      gates[step.gates + element.at] = gatesOf(load(place.statistics) * (gx - mean.x - kept.sides.x * product.x));
      kept.d.r = load(place.statistics + 4u) * (gr - mean.r - kept.sides.r * product.r);
      save(place.r + side, kept.d.r);
    }
    if (fused) { break; }
  }
}
