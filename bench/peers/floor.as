// AssemblyScript. Eight or twelve sums side by side hide the latency of an addition. Both give the sum of all.

function total(v: v128): f32 {
  return f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1) + f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3);
}

export function streamed(bytes: usize): f32 {
  const x = f32x4.splat(0.5);
  let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0;
  for (let at: usize = 0; at != bytes; at += 128) {
    s0 = f32x4.add(f32x4.mul(x, v128.load(at)), s0);
    s1 = f32x4.add(f32x4.mul(x, v128.load(at, 16)), s1);
    s2 = f32x4.add(f32x4.mul(x, v128.load(at, 32)), s2);
    s3 = f32x4.add(f32x4.mul(x, v128.load(at, 48)), s3);
    s4 = f32x4.add(f32x4.mul(x, v128.load(at, 64)), s4);
    s5 = f32x4.add(f32x4.mul(x, v128.load(at, 80)), s5);
    s6 = f32x4.add(f32x4.mul(x, v128.load(at, 96)), s6);
    s7 = f32x4.add(f32x4.mul(x, v128.load(at, 112)), s7);
  }
  return total(f32x4.add(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)), f32x4.add(f32x4.add(s4, s5), f32x4.add(s6, s7))));
}

export function registers(count: usize): f32 {
  const x = f32x4.splat(0.5), y = f32x4.splat(<f32>count);
  let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0, s8 = s0, s9 = s0, s10 = s0, s11 = s0;
  for (; count != 0; count--) {
    s0 = f32x4.add(f32x4.mul(x, s0), y), s1 = f32x4.add(f32x4.mul(x, s1), y), s2 = f32x4.add(f32x4.mul(x, s2), y);
    s3 = f32x4.add(f32x4.mul(x, s3), y), s4 = f32x4.add(f32x4.mul(x, s4), y), s5 = f32x4.add(f32x4.mul(x, s5), y);
    s6 = f32x4.add(f32x4.mul(x, s6), y), s7 = f32x4.add(f32x4.mul(x, s7), y), s8 = f32x4.add(f32x4.mul(x, s8), y);
    s9 = f32x4.add(f32x4.mul(x, s9), y), s10 = f32x4.add(f32x4.mul(x, s10), y), s11 = f32x4.add(f32x4.mul(x, s11), y);
  }
  s0 = f32x4.add(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)), f32x4.add(f32x4.add(s4, s5), f32x4.add(s6, s7)));
  return total(f32x4.add(s0, f32x4.add(f32x4.add(s8, s9), f32x4.add(s10, s11))));
}
