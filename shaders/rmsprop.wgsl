// RMSprop, plain or centred, with momentum; update rule in src/kernels/optimizers.ts.
struct Params { length: u32, alpha: f32, eps: f32, momentum: f32, centered: u32, weightDecay: f32, clipValue: f32 }
@group(0) @binding(0) var<storage, read_write> parameters: array<f32>;
@group(0) @binding(1) var<storage, read> gradients: array<f32>;
@group(0) @binding(2) var<storage, read_write> lastGood: array<f32>;
@group(0) @binding(3) var<storage, read_write> squareAverage: array<f32>;
@group(0) @binding(4) var<storage, read_write> gradientAverage: array<f32>;
@group(0) @binding(5) var<storage, read_write> velocity: array<f32>;
@group(0) @binding(6) var<storage, read> norm: array<f32>;
@group(0) @binding(7) var<storage, read> control: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let i = linearIndex(group, groups, thread);
  if (i >= params.length) { return; }
  let centers = params.centered != 0u;
  let moves = params.momentum != 0.0;
  let keptVelocity = select(2u, 3u, centers);
  let kept = keptAt(i, keptVelocity + select(0u, 1u, moves));
  if (!healthy()) {
    if (restores()) {
      parameters[i] = lastGood[kept];
      squareAverage[i] = lastGood[kept + 64u];
      if (centers) { gradientAverage[i] = lastGood[kept + 128u]; }
      if (moves) { velocity[i] = lastGood[kept + keptVelocity * 64u]; }
    }
    return;
  }
  lastGood[kept] = parameters[i];
  lastGood[kept + 64u] = squareAverage[i];
  if (centers) { lastGood[kept + 128u] = gradientAverage[i]; }
  if (moves) { lastGood[kept + keptVelocity * 64u] = velocity[i]; }
  let parameter = parameters[i];
  let g = effectiveGradient(gradients[i], parameter, norm[1], params.clipValue, params.weightDecay);
  let square = params.alpha * squareAverage[i] + (1.0 - params.alpha) * g * g;
  squareAverage[i] = square;
  var variance = square;
  if (centers) {
    let average = params.alpha * gradientAverage[i] + (1.0 - params.alpha) * g;
    gradientAverage[i] = average;
    // Rounding may make a variance near zero negative.
    variance = max(square - average * average, 0.0);
  }
  var update = g / (sqrt(variance) + params.eps);
  if (moves) {
    update += params.momentum * velocity[i];
    velocity[i] = update;
  }
  parameters[i] = parameter - control[0] * update;
}
