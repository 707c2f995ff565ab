// Stochastic gradient descent with momentum; update rule in src/kernels/optimizers.ts.
struct Params { length: u32, momentum: f32, dampening: f32, nesterov: u32, weightDecay: f32, clipValue: f32 }
@group(0) @binding(0) var<storage, read_write> parameters: array<f32>;
@group(0) @binding(1) var<storage, read> gradients: array<f32>;
@group(0) @binding(2) var<storage, read_write> lastGood: array<f32>;
@group(0) @binding(3) var<storage, read_write> velocity: array<f32>;
@group(0) @binding(4) var<storage, read> norm: array<f32>;
@group(0) @binding(5) var<storage, read> control: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let i = linearIndex(group, groups, thread);
  if (i >= params.length) { return; }
  let moves = params.momentum != 0.0;
  let kept = keptAt(i, select(1u, 2u, moves));
  if (!healthy()) {
    if (restores()) {
      parameters[i] = lastGood[kept];
      if (moves) { velocity[i] = lastGood[kept + 64u]; }
    }
    return;
  }
  lastGood[kept] = parameters[i];
  if (moves) { lastGood[kept + 64u] = velocity[i]; }
  let parameter = parameters[i];
  var g = effectiveGradient(gradients[i], parameter, norm[1], params.clipValue, params.weightDecay);
  if (moves) {
    var v = g;
    if (control[3] == 0.0) { v = params.momentum * velocity[i] + (1.0 - params.dampening) * g; }
    velocity[i] = v;
    if (params.nesterov != 0u) { g += params.momentum * v; } else { g = v; }
  }
  parameters[i] = parameter - control[0] * g;
}
