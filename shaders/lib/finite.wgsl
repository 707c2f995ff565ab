// WGSL may assume that NaN and infinity do not occur and remove comparisons with them. It must keep bit patterns.
fn isFinite(x: f32) -> bool { return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u; }
