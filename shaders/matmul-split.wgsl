// C = A·B for a small C and a long K, such as the gradient of a weight. Sixteen threads share each block of 4 x 4,
// taking four k in turn, and their sums are added in a fixed order. A workgroup computes 8 x 8 of C; blocks and
// operands are those of matmul-block.
const shares = 16u;
var<workgroup> partial: array<f32, 1024>;       // [16 shares, 8, 8]
var<workgroup> rowPartial: array<vec4<f32>, 32>; // [16 shares, 2]: sums of A's rows by fours

@compute @workgroup_size(4, 16)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let i = group.z;
  let top = group.y * 8u;
  let left = group.x * 8u;
  let share = local.y;
  let down = local.x / 2u;
  let right = local.x % 2u;
  // Blocks past the edge of C are computed from the last rows and columns, and not stored.
  let a0 = startsOfA(i, top + down * 4u);
  let b0 = startsOfB(i, left + right * 4u);
  var sum = mat4x4<f32>();
  var rows = vec4<f32>();
  for (var k = share * 4u; k < params.K; k += shares * 4u) {
    let above = blockOfA(a0, k);
    sum += blockOfB(b0, k) * above;
    if (addsRows) { rows += vec4(1.0) * above; }
  }
  for (var r = 0u; r < 4u; r++) {
    let at = share * 64u + (down * 4u + r) * 8u + right * 4u;
    partial[at] = sum[r].x;
    partial[at + 1u] = sum[r].y;
    partial[at + 2u] = sum[r].z;
    partial[at + 3u] = sum[r].w;
  }
  if (addsRows && right == 0u) { rowPartial[share * 2u + down] = rows; }
  workgroupBarrier();
  var total = 0.0;
  for (var one = 0u; one < shares; one++) { total += partial[one * 64u + thread]; }
  store(i, top + thread / 8u, left + thread % 8u, total);
  // The first of the workgroups that share these rows of A has summed them.
  if (!addsRows || group.x > 0u || thread >= 2u) { return; }
  var totals = vec4<f32>();
  for (var one = 0u; one < shares; one++) { totals += rowPartial[one * 2u + thread]; }
  storeSums(top + thread * 4u, totals);
}
