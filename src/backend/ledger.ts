/** The memory that a backend has allocated, and how it is freed. */
import { RnnError } from "../errors.ts";
import type { Counters, DeviceBuffer } from "./backend.ts";

/**
 * A piece of memory. `release` must not reference the buffer that stands for it: the registry would keep both alive for
 * ever.
 */
export class Piece {
  freed = false;

  constructor(
    readonly bytes: number,
    readonly release: () => void,
  ) {}
}

/**
 * A piece is freed once: by a call, with the whole backend, or when nobody holds its buffer any more. So no caller has
 * to free its buffers, not even a generator that was left half-way.
 */
export class Ledger {
  private readonly pieces = new Set<Piece>();
  private readonly dropped = new FinalizationRegistry<Piece>((piece) => this.free(piece));

  constructor(private readonly counters: Counters) {}

  /** Adds a piece; it is freed when nobody holds `buffer` any more. */
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

/** @throws RnnError `option` if the buffer has been freed: another buffer may use its memory by now */
export function checkHeld(buffer: DeviceBuffer): void {
  if (buffer.freed)
    throw new RnnError("option", buffer.label, "has been freed: its model, its trainer or its generator has been disposed of");
}
