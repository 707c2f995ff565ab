// The backward pass of scan-forward, from the last step to the first. It is a scan too, since ∂L/∂h_{t-1} is
// kept_t·(dy_t + ∂L/∂h_t). Each thread then computes the gradients of its steps' gates from the gradient that reaches
// its part from behind.
struct Params { lanes: u32, T: u32, B: u32, H: u32, reverse: u32, hBase: u32, first: u32, steps: u32 }
@group(0) @binding(0) var<storage, read_write> gates: array<PackedGates>;
@group(0) @binding(1) var<storage, read> h: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> carry: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read> lengths: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

// A row that lacks the step passes its gradient on, and in a gap also the repeated output's.
fn together(lane: u32, steps: vec2<u32>, column: u32) -> Affine {
  var all = Affine(1.0, 0.0);
  for (var i = steps.y; i > steps.x; i--) {
    let step = stepAt(lane, i - 1u);
    if (!hasStep(column / params.H, step.t)) {
      if (hasGaps) { all.shift += dy[step.dy + column]; }
      continue;
    }
    let kept = keptOf(named(gates[step.gates + column]));
    all = Affine(kept * all.factor, kept * (all.shift + dy[step.dy + column]));
  }
  return all;
}

fn finish(lane: u32, steps: vec2<u32>, column: u32, behind: f32) -> f32 {
  var dState = behind;
  for (var i = steps.y; i > steps.x; i--) {
    let step = stepAt(lane, i - 1u);
    let at = step.gates + column;
    if (!hasStep(column / params.H, step.t)) {
      if (hasGaps) { dState += dy[step.dy + column]; }
      gates[at] = packed(Gates());
      continue;
    }
    let dh = dState + dy[step.dy + column];
    let out = cellBackward(named(gates[at]), h[step.hPrevious + column], h[step.hCurrent + column], 0.0, 0.0, dh, 0.0, Gates());
    gates[at] = packed(out.dGates);
    dState = out.dhPrevious;
  }
  return dState;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let lane = group.z;
  let column = groupIndex(group, groups) * columns + thread % columns;
  let steps = stepsOf(thread / columns);
  let inside = column < params.B * params.H;
  let reach = laneStart(lane, params.B * params.H) + column;
  var dState = 0.0;
  if (inside) {
    ofParts[thread] = together(lane, steps, column);
    // This read comes before the barrier. Behind it, the first part's thread overwrites the carry.
    dState = carry[reach].x;
  }
  workgroupBarrier();
  if (!inside) { return; }
  for (var part = parts * columns + thread % columns - columns; part > thread; part -= columns) {
    dState = fma(ofParts[part].factor, dState, ofParts[part].shift);
  }
  dState = finish(lane, steps, column, dState);
  if (thread < columns) { carry[reach] = vec2(dState, 0.0); }
}
