// Activation functions by kind, numbered as in src/kernels/activation-functions.ts, and their gradients from d = ∂L/∂y
// and the value y.

// e^x - 1 for x up to 0, with a small relative error near 0.
fn expMinusOne(x: f32) -> f32 {
  let t = safeTanh(0.5 * x);
  return 2.0 * t / (1.0 - t);
}
// ln(1 + e) for e from 0 to 1. It is a polynomial near 0, where 1 + e would lose digits.
fn logOfOnePlus(e: f32) -> f32 {
  return select(log(1.0 + e), e * (1.0 - e * (0.5 - e * (0.33333333 - e * 0.25))), e < 0.0625);
}

fn activate(kind: u32, alpha: f32, beta: f32, x: f32) -> f32 {
  switch kind {
    case 0u: { return sigmoid(x); }
    case 1u: { return safeTanh(x); }
    case 2u: { return max(x, 0.0); }
    case 3u: { return clamp(alpha * x + beta, 0.0, 1.0); }
    case 4u: { return x / (1.0 + abs(x)); }
    case 5u: { return max(x, 0.0) + logOfOnePlus(safeExp(-abs(x))); }
    case 6u: { return select(alpha * x, x, x > 0.0); }
    case 7u: { return select(alpha * expMinusOne(min(x, 0.0)), x, x > 0.0); }
    case 8u: { return alpha * x + beta; }
    case 9u: { return alpha * safeTanh(beta * x); }
    default: { return select(0.0, x, x > alpha); }
  }
}
fn activationGradient(kind: u32, alpha: f32, beta: f32, d: f32, y: f32) -> f32 {
  switch kind {
    case 0u: { return d * y * (1.0 - y); }
    case 1u: { return d * (1.0 - y * y); }
    case 2u: { return d * select(0.0, 1.0, y > 0.0); }
    case 3u: { return d * select(0.0, alpha, y > 0.0 && y < 1.0); }
    case 4u: { return d * (1.0 - abs(y)) * (1.0 - abs(y)); }
    case 5u: { return -d * expMinusOne(-y); }
    case 6u: { return d * select(alpha, 1.0, y > 0.0); }
    case 7u: { return d * select(y + alpha, 1.0, y > 0.0); }
    case 8u: { return d * alpha; }
    case 9u: { return d * beta * (alpha - y * y / alpha); }
    default: { return d * select(0.0, 1.0, y > 0.0); }
  }
}
