// WGSL may assume that NaN and infinity do not occur and fold comparisons away; bit patterns it must keep.
fn isFinite(x: f32) -> bool { return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u; }
