// Sums for each unit the products with others' states, h·W, where several threads share the sums over k: for GPUs. Eight k
// are read at a time. Thread t has share t / units of unit t % units in all rows of the workgroup.
override units: u32;
override shares: u32;
override threads: u32;
// Elements of the tile as an array. Firefox (naga) crashes on an array whose length is a product or quotient of overrides.
override tileLength: u32;
// States of the rows, [eight, row, 8 units]: one check of the index serves all reads of an eight.
var<workgroup> tile: array<array<array<vec4<f32>, 2>, rows>, tileLength>;
var<workgroup> parts: array<PackedGates, threads>;

fn putState(row: u32, unit: u32, h: f32) { tile[unit / 8u][row][unit / 4u % 2u][unit % 4u] = h; }

// Halves are unpacked just before they are used, since eight weights as float32 would take the registers of other eights.
fn addProduct(h: f32, w: Weights, sum: PackedGates) -> PackedGates { return multiplyAdd(h, unpacked(w), sum); }

// The products with the first four k of an eight, the others, and all.
fn addFirst(h: array<vec4<f32>, 2>, w: array<Weights, 8>, sum: PackedGates) -> PackedGates {
  return addProduct(h[0].w, w[3], addProduct(h[0].z, w[2], addProduct(h[0].y, w[1], addProduct(h[0].x, w[0], sum))));
}

fn addSecond(h: array<vec4<f32>, 2>, w: array<Weights, 8>, sum: PackedGates) -> PackedGates {
  return addProduct(h[1].w, w[7], addProduct(h[1].z, w[6], addProduct(h[1].y, w[5], addProduct(h[1].x, w[4], sum))));
}

fn addRow(h: array<vec4<f32>, 2>, w: array<Weights, 8>, sum: PackedGates) -> PackedGates { return addSecond(h, w, addFirst(h, w, sum)); }

// Adds up the parts of all shares, for the threads of the share with the row's number.
fn foldRow(row: u32, part: PackedGates, thread: u32, before: PackedGates) -> PackedGates {
  parts[thread] = part;
  workgroupBarrier();
  if (thread / units != row) { return before; }
  var total = before;
  for (var share = 0u; share < shares; share++) { total = multiplyAdd(1.0, parts[share * units + thread % units], total); }
  return total;
}
