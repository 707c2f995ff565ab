// factor * (x - target)² and its gradient, element by element.
struct Params { length: u32, factor: f32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> targets: array<f32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read> normalizer: array<f32>;
@group(0) @binding(4) var<storage, read_write> losses: array<f32>;
@group(0) @binding(5) var<storage, read_write> dx: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let i = linearIndex(group, groups, thread);
  if (i >= params.length) { return; }
  let weight = weights[i];
  if (weight == 0.0) {
    losses[i] = 0.0;
    dx[i] = 0.0;
    return;
  }
  let difference = x[i] - targets[i];
  losses[i] = weight * params.factor * difference * difference;
  dx[i] = weight * 2.0 * params.factor * difference * normalizer[1];
}
