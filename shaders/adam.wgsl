// Adam; AdamW with `decoupled`; NAdam by the factors in `control`. The update rule is in src/kernels/optimizers.ts.
struct Params { length: u32, beta1: f32, beta2: f32, eps: f32, weightDecay: f32, decoupled: u32, clipValue: f32 }
@group(0) @binding(0) var<storage, read_write> parameters: array<f32>;
@group(0) @binding(1) var<storage, read> gradients: array<f32>;
@group(0) @binding(2) var<storage, read_write> lastGood: array<f32>;
@group(0) @binding(3) var<storage, read_write> firstMoment: array<f32>;
@group(0) @binding(4) var<storage, read_write> secondMoment: array<f32>;
@group(0) @binding(5) var<storage, read> norm: array<f32>;
@group(0) @binding(6) var<storage, read> control: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let i = linearIndex(group, groups, thread);
  if (i >= params.length) { return; }
  let kept = keptAt(i, 3u);
  if (!healthy()) {
    if (restores()) {
      parameters[i] = lastGood[kept];
      firstMoment[i] = lastGood[kept + 64u];
      secondMoment[i] = lastGood[kept + 128u];
    }
    return;
  }
  lastGood[kept] = parameters[i];
  lastGood[kept + 64u] = firstMoment[i];
  lastGood[kept + 128u] = secondMoment[i];
  let learningRate = control[0];
  let momentFactor = control[1];
  let biasCorrection2 = control[2];
  let gradientFactor = control[3];
  var parameter = parameters[i];
  var penalty = params.weightDecay;
  if (params.decoupled != 0u) {
    parameter -= learningRate * params.weightDecay * parameter;
    penalty = 0.0;
  }
  let g = effectiveGradient(gradients[i], parameter, norm[1], params.clipValue, penalty);
  let m = params.beta1 * firstMoment[i] + (1.0 - params.beta1) * g;
  let v = params.beta2 * secondMoment[i] + (1.0 - params.beta2) * g * g;
  firstMoment[i] = m;
  secondMoment[i] = v;
  parameters[i] = parameter - learningRate * (momentFactor * m + gradientFactor * g) / (sqrt(v / biasCorrection2) + params.eps);
}
