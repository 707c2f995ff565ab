// dx (+)= dy * ∂f/∂a or ∂f/∂b, for the functions of binary.wgsl whose slope is more than a factor.
struct Params {
  size0: u32, size1: u32, size2: u32, size3: u32,
  a0: u32, a1: u32, a2: u32, a3: u32,
  b0: u32, b1: u32, b2: u32, b3: u32,
  kind: u32, second: u32, accumulate: u32,
}
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read> y: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

fn gradient(left: f32, right: f32, value: f32, d: f32) -> f32 {
  let second = params.second != 0u;
  switch params.kind {
    case 3u: { return select(d / right, -d * (value / right), second); }
    case 4u: {
      // 0 to a power stays 0 around it; any number to the power 0 stays 1.
      if (second) { return select(d * value * logarithm(left), 0.0, left == 0.0 && right >= 0.0); }
      if (left == 0.0) { return select(0.0, select(d * sign(right) / abs(left), d, right == 1.0), right <= 1.0 && right != 0.0); }
      return d * right * (value / left);
    }
    case 5u: { return d * select(0.5, select(0.0, 1.0, (left > right) != second), left != right); }
    case 6u: { return d * select(0.5, select(0.0, 1.0, (left < right) != second), left != right); }
    case 12u: { return select(0.0, d, left != 0.0); }
    default: { return select(d, 0.0, left != 0.0); }
  }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let at = linearIndex(group, groups, thread);
  if (at >= params.size0 * params.size1 * params.size2 * params.size3) { return; }
  let places = operandPlaces(at);
  var result = gradient(a[places.x], b[places.y], y[at], dy[at]);
  if (params.accumulate != 0u) { result += dx[at]; }
  dx[at] = result;
}
