// The index of a workgroup and of a thread in a dispatch that is spread over x and y (elementGroups in
// src/kernels/kernel.ts).
fn groupIndex(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.y * groups.x + group.x; }
fn linearIndex(group: vec3<u32>, groups: vec3<u32>, thread: u32) -> u32 { return groupIndex(group, groups) * 64u + thread; }
