// y (+)= f(a, b) over a 4-D index space, with the function by its kind, numbered as in src/kernels/binary.ts.
struct Params {
  size0: u32, size1: u32, size2: u32, size3: u32,
  a0: u32, a1: u32, a2: u32, a3: u32,
  b0: u32, b1: u32, b2: u32, b3: u32,
  kind: u32, accumulate: u32,
}
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

// pow takes no negative base. Those have a power if the exponent is an integer, and the sign of an odd one.
fn power(base: f32, exponent: f32) -> f32 {
  if (exponent == 0.0 || base == 1.0) { return 1.0; }
  if (exponent == 1.0) { return base; }
  if (exponent == 2.0) { return base * base; }
  if (exponent == -1.0) { return 1.0 / base; }
  if (base == 0.0) { return select(infinity(), 0.0, exponent > 0.0); }
  let size = pow(abs(base), exponent);
  if (base > 0.0) { return size; }
  if (exponent != floor(exponent)) { return noNumber(); }
  return select(size, -size, exponent * 0.5 != floor(exponent * 0.5));
}

fn combined(kind: u32, left: f32, right: f32) -> f32 {
  switch kind {
    case 0u: { return left + right; }
    case 1u: { return left * right; }
    case 2u: { return left - right; }
    case 3u: { return left / right; }
    case 4u: { return power(left, right); }
    case 5u: { return max(left, right); }
    case 6u: { return min(left, right); }
    case 7u: { return select(0.0, 1.0, left == right); }
    case 8u: { return select(0.0, 1.0, left < right); }
    case 9u: { return select(0.0, 1.0, left <= right); }
    case 10u: { return select(0.0, 1.0, left != 0.0 && right != 0.0); }
    case 11u: { return select(0.0, 1.0, left != 0.0 || right != 0.0); }
    case 12u: { return select(0.0, right, left != 0.0); }
    default: { return select(right, 0.0, left != 0.0); }
  }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let at = linearIndex(group, groups, thread);
  if (at >= params.size0 * params.size1 * params.size2 * params.size3) { return; }
  let places = operandPlaces(at);
  var value = combined(params.kind, a[places.x], b[places.y]);
  if (params.accumulate != 0u) { value += y[at]; }
  y[at] = value;
}
