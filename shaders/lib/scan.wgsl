// Code of both passes of a scan over time. A step of a cell without a recurrent product takes the state h to factor·h +
// shift, and so do several steps together. A workgroup owns 8 columns (a column is a unit of a row of the batch) and
// cuts time into 32 parts. A thread has one part of one column.
const columns = 8u;
const parts = 32u;
struct Affine { factor: f32, shift: f32 }
// One for each thread's part, [part, column].
var<workgroup> ofParts: array<Affine, 256>;

// The steps of a part: from x up to y.
fn stepsOf(part: u32) -> vec2<u32> {
  let most = (params.steps + parts - 1u) / parts;
  return min(vec2(part * most, (part + 1u) * most), vec2(params.steps));
}

// The share of the state that a step with these gates keeps: ∂h_t/∂h_{t-1}, which depends on nothing else.
fn keptOf(gates: Gates) -> f32 { return cellBackward(gates, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, Gates()).dhPrevious; }
