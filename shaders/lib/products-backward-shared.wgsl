// Sums for each unit the products with others' gate gradients; threads and shares as in products-forward-shared.
override units: u32;
override shares: u32;
override threads: u32;
// Elements of the tile as an array. Firefox (naga) crashes on an array whose length is a product or quotient of overrides.
override tileLength: u32;
// Gradients of the rows, [eight, row, 8 units].
var<workgroup> tile: array<array<array<PackedGates, 8>, rows>, tileLength>;

fn putGradient(row: u32, unit: u32, gates: PackedGates) { tile[unit / 8u][row][unit % 8u] = gates; }

// Halves are unpacked just before they are used, since eight weights as float32 would take the registers of other eights.
fn addProduct(d: PackedGates, w: Weights, sum: PackedGates) -> PackedGates { return multiplyGates(d, unpacked(w), sum); }

// The products with the last four k of an eight, the others, and all. The loads start with the last: once it has come from memory,
// so have the others. The gates' sums do not wait for each other.
fn addFirst(d: array<PackedGates, 8>, w: array<Weights, 8>, sum: PackedGates) -> PackedGates {
  return addProduct(d[4], w[4], addProduct(d[5], w[5], addProduct(d[6], w[6], addProduct(d[7], w[7], sum))));
}

fn addSecond(d: array<PackedGates, 8>, w: array<Weights, 8>, sum: PackedGates) -> PackedGates {
  return addProduct(d[0], w[0], addProduct(d[1], w[1], addProduct(d[2], w[2], addProduct(d[3], w[3], sum))));
}

fn addRow(d: array<PackedGates, 8>, w: array<Weights, 8>, sum: PackedGates) -> PackedGates { return addSecond(d, w, addFirst(d, w, sum)); }
