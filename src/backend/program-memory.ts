/** The memory of a prepared recording. */
import { RnnError } from "../errors.ts";
import type { ElementType } from "../kernels/kernel.ts";
import { planMemory } from "../recording/lifetimes.ts";
import type { Buffer, Recording } from "../recording/recording.ts";
import type { DeviceBuffer } from "./backend.ts";
import { checkHeld } from "./ledger.ts";

/** What both backends have. */
interface Allocator<B> {
  /** Memory of zeros, or with `data`. */
  allocate(label: string, type: ElementType, length: number, data?: ArrayLike<number>): B;
  free(buffer: B): void;
}

/** Gives each buffer of a recording its memory: an external buffer the caller's, all others their own, which `free` frees. */
export class ProgramMemory<B extends DeviceBuffer> {
  private readonly places = new Map<Buffer, B>();
  private readonly inputs = new Map<string, B>();
  private readonly owned: B[] = [];
  private readonly externals: B[] = [];
  private freed = false;

  /** @param where the backend's name for messages */
  constructor(
    private readonly where: string,
    private readonly backend: Allocator<B>,
  ) {}

  /**
   * Gives all buffers their memory. If this fails, the caller frees what was allocated so far.
   * @param keepAll whether every buffer has memory of its own; else transient ones share it
   * @throws RnnError `option` if an external buffer has been freed, `limit` if the memory is too small
   */
  place(recording: Recording, externals: ReadonlyMap<Buffer, B>, keepAll: boolean): void {
    const { slots, slotOf } = planMemory(recording, { share: !keepAll });
    const shared = slots.map(({ type, length }, i) => this.own(this.backend.allocate(`transient.${i}`, type, length)));
    for (const buffer of recording.buffers) {
      const { label, type, length, data, role } = buffer;
      const slot = slotOf.get(buffer);
      let place = externals.get(buffer);
      if (place) {
        checkHeld(place);
        this.externals.push(place);
      } else if (role === "external") throw new RnnError("device", this.where, `no memory was given for ${label}`);
      else place = slot === undefined ? this.own(this.backend.allocate(label, type, length, data)) : shared[slot];
      this.places.set(buffer, place);
      if (role === "input") this.inputs.set(label, place);
    }
  }

  /** Adds memory of the program besides its buffers, to be freed with them. */
  own(buffer: B): B {
    this.owned.push(buffer);
    return buffer;
  }

  of(buffer: Buffer): B {
    return this.places.get(buffer)!;
  }

  /** @throws RnnError `device` if the recording has no such input */
  input(label: string): B {
    const place = this.inputs.get(label);
    if (!place) throw new RnnError("device", this.where, `the recording has no input "${label}"`);
    return place;
  }

  /** Makes no garbage, because each run calls it. @throws RnnError `option` if it, or an external buffer, has been freed */
  check(): void {
    if (this.freed) throw new RnnError("option", this.where, "the recording has been freed: its model or its trainer has been disposed of");
    for (let i = 0; i < this.externals.length; i++) checkHeld(this.externals[i]);
  }

  free(): void {
    this.freed = true;
    for (const buffer of this.owned.splice(0)) this.backend.free(buffer);
  }
}
