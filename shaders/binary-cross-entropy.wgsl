// Binary cross-entropy of logits and its gradient, element by element.
struct Params { length: u32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> targets: array<f32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read> normalizer: array<f32>;
@group(0) @binding(4) var<storage, read_write> losses: array<f32>;
@group(0) @binding(5) var<storage, read_write> dx: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

// ln(1 + e). WGSL has no log1p, and log(1 + e) loses the digits of a small e.
fn log1p(e: f32) -> f32 { return select(log(1.0 + e), e * (1.0 - 0.5 * e), e < 1e-3); }

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
  losses[i] = weight * (max(x[i], 0.0) - x[i] * targets[i] + log1p(safeExp(-abs(x[i]))));
  dx[i] = weight * (sigmoid(x[i]) - targets[i]) * normalizer[1];
}
