/** The states that a model on a device gives its layers, for rows at the beginning of a sequence. */
import type { Prepared } from "../session/recordings.ts";
import type { Reading } from "../session/reading.ts";
import type { Session } from "../session/session.ts";

/**
 * Rows are marked when they begin. Their states are computed right before a call needs them, from the parameters of its
 * moment.
 */
export class DeviceFirstStates {
  private readonly marked = new Set<number>();

  /** @param recording gives some rows their first states: `keepFirstStates(context, true)` has completed it */
  constructor(
    private readonly session: Session,
    private readonly recording: Prepared,
    private readonly rows: number,
  ) {
    this.mark();
  }

  /** A row begins, or all rows do. */
  mark(row?: number): void {
    for (const one of row === undefined ? Array(this.rows).keys() : [row]) this.marked.add(one);
  }

  /** These rows have gone on, or have been given other states; by default all. */
  unmark(rows: Iterable<number> = [...this.marked]): void {
    for (const row of rows) this.marked.delete(row);
  }

  get isDue(): boolean {
    return this.marked.size > 0;
  }

  /** Computes the states of the rows that are marked, and leaves the others as they are. */
  async fill(reading: Reading): Promise<void> {
    if (!this.isDue) return;
    const { context, program } = this.recording;
    const inputs = Object.fromEntries(
      [...context.firstStates].map(([path, { shape }]) => {
        const size = shape[0] * this.rows;
        return [`rows.${path}`, Uint32Array.from({ length: size }, (_, i) => (this.marked.has(i % this.rows) ? size + i : i))];
      }),
    );
    await this.session.run(program, inputs, { reading });
  }
}
