/** The memory that a backend has given out, and who gives it back. */
import { RnnError } from "../errors.ts";
import type { Counters, DeviceBuffer } from "./backend.ts";

/** A piece of memory. `release` must not reach the buffer that stands for it: a registry would keep both for good. */
export class Piece {
  freed = false;

  constructor(
    readonly bytes: number,
    readonly release: () => void,
  ) {}
}

/**
 * A piece is freed once: on demand, with the whole backend, or when nobody holds its buffer any more. So nobody who makes
 * a buffer has to be asked to free it, neither a trainer nor a generator that was left half-way.
 */
export class Ledger {
  private readonly pieces = new Set<Piece>();
  private readonly dropped = new FinalizationRegistry<Piece>((piece) => this.free(piece));

  constructor(private readonly counters: Counters) {}

  /** Counts a piece that `buffer` stands for. */
  enter(buffer: DeviceBuffer, piece: Piece): void {
    this.pieces.add(piece);
    this.dropped.register(buffer, piece, piece);
    this.counters.buffers++;
    this.counters.bytes += piece.bytes;
  }

  free(piece: Piece): void {
    if (piece.freed) return;
    piece.freed = true;
    this.pieces.delete(piece);
    this.dropped.unregister(piece);
    this.counters.bytes -= piece.bytes;
    piece.release();
  }

  freeAll(): void {
    for (const piece of this.pieces) this.free(piece);
  }
}

/** @throws RnnError `option` if the buffer's memory has been given back: it may be another buffer's by now */
export function checkHeld(buffer: DeviceBuffer): void {
  if (buffer.freed)
    throw new RnnError("option", buffer.label, "has been freed: its model, its trainer or its generator has been disposed of");
}
