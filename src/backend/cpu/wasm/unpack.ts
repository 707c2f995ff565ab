// Unpacks the other modules: base64 and deflate (RFC 1951). JavaScript that runs once, before an engine has compiled it, takes ten
// times as long, and worklets have neither atob nor DecompressionStream. Tables take less than 4096 bytes of the memory; the rest
// is the caller's.

/** Tables of Huffman codes: the number of codes of each length from 0 to 15, then the symbols in the order of their codes. */
const ofLengths: usize = 2048;
const ofLiterals: usize = ofLengths + 32 + 2 * 19;
const ofDistances: usize = ofLiterals + 32 + 2 * 288;
/** Lengths of codes, a byte each. */
const lengths: usize = ofDistances + 32 + 2 * 32;
/** The order in which a block gives the lengths of the codes that encode its code lengths. */
const order: usize = memory.data<u8>([16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]);

/** The address of the next byte, and the bits (and their number) that have been read and not used. */
let next: usize = 0;
let held: u32 = 0;
let count: u32 = 0;

/** The next bits as a number, the lowest first. */
function take(bits: u32): u32 {
  while (count < bits) {
    held |= <u32>load<u8>(next++) << count;
    count += 8;
  }
  const value = held & ((1 << bits) - 1);
  held >>= bits;
  count -= bits;
  return value;
}

/** The symbol of the next code: codes of one length are consecutive numbers. */
function symbol(table: usize): u32 {
  const symbols = table + 32;
  let code: i32 = take(1), first: i32 = 0, before: i32 = 0;
  for (let codes: i32 = load<u16>(table += 2); code - codes >= first; codes = load<u16>(table += 2)) {
    before += codes;
    first = (first + codes) << 1;
    code = (code << 1) | take(1);
  }
  return load<u16>(symbols + (<usize>(before + code - first) << 1));
}

/** Makes the table of `symbols` codes, whose lengths lie at `from`. */
function makeTable(table: usize, from: usize, symbols: usize): void {
  memory.fill(table, 0, 32);
  for (let s: usize = 0; s < symbols; s++) {
    const at = table + (<usize>load<u8>(from + s) << 1);
    store<u16>(at, load<u16>(at) + 1);
  }
  store<u16>(table, 0);
  let to = table + 32;
  for (let length: u32 = 1; length < 16; length++)
    for (let s: usize = 0; s < symbols; s++)
      if (load<u8>(from + s) == length) {
        store<u16>(to, <u16>s);
        to += 2;
      }
}

/** Reads the tables of a block with dynamic codes. */
function readTables(): void {
  const literals: usize = take(5) + 257, distances: usize = take(5) + 1, given: usize = take(4) + 4;
  memory.fill(lengths, 0, 19);
  for (let i: usize = 0; i < given; i++) store<u8>(lengths + <usize>load<u8>(order + i), take(3));
  makeTable(ofLengths, lengths, 19);
  for (let i: usize = 0; i < literals + distances; ) {
    const code = symbol(ofLengths);
    let times: usize = 1, length: u32 = code;
    if (code >= 16) {
      length = code == 16 ? load<u8>(lengths + i - 1) : 0;
      times = code == 16 ? 3 + take(2) : code == 17 ? 3 + take(3) : 11 + take(7);
    }
    memory.fill(lengths + i, <u8>length, times);
    i += times;
  }
  makeTable(ofLiterals, lengths, literals);
  makeTable(ofDistances, lengths + literals, distances);
}

/** Makes the tables of blocks with fixed codes. */
function setTables(): void {
  memory.fill(lengths, 8, 144);
  memory.fill(lengths + 144, 9, 112);
  memory.fill(lengths + 256, 7, 24);
  memory.fill(lengths + 280, 8, 8);
  makeTable(ofLiterals, lengths, 288);
  memory.fill(lengths, 5, 30);
  makeTable(ofDistances, lengths, 30);
}

/** Writes a block of codes to `to`. @returns its end */
function inflateBlock(to: usize): usize {
  for (let code = symbol(ofLiterals); code != 256; code = symbol(ofLiterals)) {
    if (code < 256) {
      store<u8>(to++, code);
      continue;
    }
    // Four successive lengths have the same number of extra bits, and two successive distances. The last length has none.
    const step = code - 257;
    const bits = step < 8 || step == 28 ? 0 : (step >> 2) - 1;
    let length: u32 = step < 8 ? step + 3 : step == 28 ? 258 : ((4 + (step & 3)) << bits) + 3 + take(bits);
    const far = symbol(ofDistances);
    const more = far < 4 ? 0 : (far >> 1) - 1;
    const distance: u32 = far < 4 ? far + 1 : ((2 + (far & 1)) << more) + 1 + take(more);
    // Source and target may overlap, so bytes are copied one by one.
    for (; length > 0; length--, to++) store<u8>(to, load<u8>(to - distance));
  }
  return to;
}

/** The six bits of a character of base64; 64 for others, as line ends are. */
function digit(code: u32): u32 {
  if (code - 65 < 26) return code - 65;
  if (code - 97 < 26) return code - 71;
  if (code - 48 < 10) return code + 4;
  return code == 43 ? 62 : code == 47 ? 63 : 64;
}

/** Decodes `length` characters of base64 in place. */
function decode(text: usize, length: usize): void {
  let to = text;
  for (const end = text + length; text < end; text++) {
    const six = digit(load<u8>(text));
    if (six == 64) continue;
    held = (held << 6) | six;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    store<u8>(to++, held >> count);
  }
}

/** Unpacks `length` characters at `text` to `to`. The text is overwritten. */
export function unpack(text: usize, length: usize, to: usize): void {
  decode(text, length);
  held = count = 0;
  // After the two bytes of zlib's header.
  next = text + 2;
  for (let isLast: u32 = 0; !isLast; ) {
    isLast = take(1);
    const kind = take(2);
    if (kind == 0) {
      // A stored block: from the next whole byte on, the number of bytes, its complement, the bytes.
      held = count = 0;
      const bytes: usize = load<u16>(next);
      memory.copy(to, next + 4, bytes);
      next += 4 + bytes;
      to += bytes;
      continue;
    }
    if (kind == 1) setTables();
    else readTables();
    to = inflateBlock(to);
  }
}
