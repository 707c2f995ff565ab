// Runs the time loop of a cell without a recurrent product as a scan. Each thread first finds out what its part of the
// steps does to any state. Then it computes its steps from the state that the parts before it leave.
struct Params { lanes: u32, T: u32, B: u32, H: u32, reverse: u32, hBase: u32, first: u32, steps: u32 }
@group(0) @binding(0) var<storage, read_write> gates: array<PackedGates>;
@group(0) @binding(1) var<storage, read_write> h: array<f32>;
@group(0) @binding(2) var<storage, read> lengths: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

// A row that lacks the step keeps its state.
fn together(lane: u32, steps: vec2<u32>, column: u32) -> Affine {
  var all = Affine(1.0, 0.0);
  for (var i = steps.x; i < steps.y; i++) {
    let step = stepAt(lane, i);
    if (!hasStep(column / params.H, step.t)) { continue; }
    let fromZero = cellForward(named(gates[step.gates + column]), Gates(), 0.0, 0.0, Gates());
    let kept = keptOf(fromZero.gates);
    all = Affine(kept * all.factor, fma(kept, all.shift, fromZero.h));
  }
  return all;
}

fn finish(lane: u32, steps: vec2<u32>, column: u32, before: f32) {
  var state = before;
  for (var i = steps.x; i < steps.y; i++) {
    let step = stepAt(lane, i);
    let at = step.gates + column;
    if (hasStep(column / params.H, step.t)) {
      let out = cellForward(named(gates[at]), Gates(), state, 0.0, Gates());
      gates[at] = packed(out.gates);
      state = out.h;
    }
    h[step.hCurrent + column] = state;
  }
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let lane = group.z;
  let column = groupIndex(group, groups) * columns + thread % columns;
  let steps = stepsOf(thread / columns);
  let inside = column < params.B * params.H;
  if (inside) { ofParts[thread] = together(lane, steps, column); }
  workgroupBarrier();
  if (!inside) { return; }
  var state = h[stepAt(lane, 0u).hPrevious + column];
  for (var part = thread % columns; part < thread; part += columns) { state = fma(ofParts[part].factor, state, ofParts[part].shift); }
  finish(lane, steps, column, state);
}
