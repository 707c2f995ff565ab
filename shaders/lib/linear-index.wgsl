// The element of a thread when an element-wise dispatch is folded over x and y (elementGroups in src/kernels/kernel.ts).
fn linearIndex(group: vec3<u32>, groups: vec3<u32>, thread: u32) -> u32 {
  return (group.y * groups.x + group.x) * 64u + thread;
}
