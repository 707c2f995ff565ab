// The places of element `at` in both operands of a kernel over four indices with strides; the last varies fastest.
fn operandPlaces(at: u32) -> vec2<u32> {
  let l = at % params.size3;
  let k = (at / params.size3) % params.size2;
  let j = (at / (params.size3 * params.size2)) % params.size1;
  let i = at / (params.size3 * params.size2 * params.size1);
  return vec2(
    i * params.a0 + j * params.a1 + k * params.a2 + l * params.a3,
    i * params.b0 + j * params.b1 + k * params.b2 + l * params.b3,
  );
}
